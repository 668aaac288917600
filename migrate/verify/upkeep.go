package verify

import (
	"errors"

	"entrepot/app/tasks"
	"entrepot/migrate/inventory"
)

// policies compares cleanup policies.
func (c *comparison) policies(inv *inventory.Inventory) (int, error) {
	for _, there := range inv.Upkeep.Policies {
		here, ok := c.target.Upkeep.Cleanup.Get(there.Name)
		if !ok {
			c.differ("cleanup policy", there.Name, "is not here")
			continue
		}
		c.same("cleanup policy", there.Name, there, here)
	}
	return len(inv.Upkeep.Policies), nil
}

// tasks compares scheduled tasks. When they were made and ran is each side's own affair.
func (c *comparison) tasks(inv *inventory.Inventory) (int, error) {
	for _, there := range inv.Upkeep.Tasks {
		here, err := c.target.Upkeep.Tasks.Get(there.ID)
		if errors.Is(err, tasks.ErrNotFound) {
			c.differ("task", there.ID, "is not here")
			continue
		}
		if err != nil {
			return 0, err
		}
		wanted := there.Definition
		wanted.Created, wanted.Updated = here.Created, here.Updated
		c.same("task", there.ID, wanted, here.Definition)
	}
	return len(inv.Upkeep.Tasks), nil
}
