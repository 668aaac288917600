package inventory

import (
	"entrepot/app/cleanup"
	"entrepot/app/tasks"
)

// Upkeep is what the old server did by itself to its content.
type Upkeep struct {
	Policies []cleanup.Policy
	Tasks    []Task
}

// Task is a scheduled task. Its type and properties have our names where we have such a type.
type Task struct {
	tasks.Definition
	Last *tasks.Outcome `json:"last,omitempty"` // its last run; nil when the source does not tell
}
