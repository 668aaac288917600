// Package webhooks tells other servers what happens here: capabilities of the types webhook.global (changes of settings, changes of
// repositories) and webhook.repository (assets and components of a repository) name a URL, to which each event is sent as a POST with a
// JSON body, signed with the capability's secret. Headers and bodies are those that the documentation of Nexus describes.
//
// Invariants:
//
//   - An acknowledged change is delivered at least once. Content is told from the catalog's change feed, behind a position that is kept;
//     a change of settings has a row in the queue of each hook before its request is answered. A delivery that is repeated, because the
//     process ended before that was kept, has the same X-Nexus-Webhook-Delivery.
//   - The events of a hook go out one after the other in the order in which they happened, those of different repositories apart. A hook
//     that fails does not hold up another one, and no request waits for any.
//   - Trying ends: with an event that is a day old, or that the receiver has refused some times (4xx). Then it is a dead letter, which is
//     counted and logged. A queue holds a bounded number of events, further ones are dead letters at once.
//   - Secrets, and the URL beyond its host, are in no log and no error. Connections go through app/outbound: its proxies, its guard.
//
// Example:
//
//	hooks, err := webhooks.Open(ctx, store, webhooks.Options{
//		Capabilities: settings.Capabilities, Repositories: engine.List, Content: engine.ContentOf, NodeID: node.ID,
//	})
//	hooks.Refresh(ctx)  // after each change of capabilities
//	hooks.Told(ctx, entry, true)  // after each event of the audit
//	hooks.Run(ctx)
package webhooks
