package importer

import (
	"context"
	"errors"
	"time"

	"entrepot/app/cleanup"
	"entrepot/app/tasks"
	"entrepot/migrate/inventory"
)

// Sections of what a server does by itself to its content.
const (
	sectionPolicies = "cleanup-policies"
	sectionTasks    = "tasks"
)

// Upkeep takes what a server does by itself. All members are required.
type Upkeep struct {
	Cleanup *cleanup.Service
	Tasks   *tasks.Service
}

// upkeep lists cleanup policies and tasks. Tasks of types that are not here are kept and never run.
func (p *Plan) upkeep(u *inventory.Upkeep) []*setting {
	var all []*setting
	for _, policy := range u.Policies {
		s := &setting{
			section: sectionPolicies, name: policy.Name, content: policy,
			write: func(ctx context.Context) error { return p.target.Upkeep.Cleanup.Import(ctx, policy) },
		}
		if fault := p.target.Upkeep.Cleanup.Check(policy); fault != nil {
			s.kept, s.why = true, "selects nothing as long as "+fault.Error()
		}
		all = append(all, s)
	}
	for _, t := range u.Tasks {
		s := &setting{
			section: sectionTasks, name: t.ID, content: t.Definition,
			write: func(ctx context.Context) error { return p.target.Upkeep.Tasks.Import(ctx, t.Definition, t.Last) },
		}
		if _, known := p.target.Upkeep.Tasks.Type(t.Type); !known {
			s.kept, s.why = true, p.target.Upkeep.Tasks.Unsupported(t.Type)
		}
		all = append(all, s)
	}
	return all
}

func (p *Plan) policyHome() home {
	policies := p.target.Upkeep.Cleanup
	return home{
		func(_ context.Context, name string) (any, error) {
			policy, there := policies.Get(name)
			if !there {
				return nil, nil
			}
			return policy, nil
		},
		func(ctx context.Context, name string) error { return policies.Delete(ctx, name, p.opts.Actor) },
	}
}

// taskHome leaves out when a task was made and changed.
func (p *Plan) taskHome() home {
	service := p.target.Upkeep.Tasks
	return home{
		func(_ context.Context, id string) (any, error) {
			t, err := service.Get(id)
			if errors.Is(err, tasks.ErrNotFound) {
				return nil, nil
			}
			d := t.Definition
			d.Created, d.Updated = time.Time{}, time.Time{}
			return d, err
		},
		func(ctx context.Context, id string) error { return service.Delete(ctx, id, p.opts.Actor) },
	}
}
