// Package secrets opens what an old Nexus keeps sealed: passwords for upstreams, proxies and mail, webhook secrets, API keys with
// their owners, and keystores. Every form that releases from 3.71 on leave in a database is read: "{…}" strings, the fixed cipher,
// cipher strings in the table of secrets and references to it, and clear text.
//
// Invariants:
//
//   - Nothing is guessed from a wrong key. These ciphers do not all notice one, so a key that fails on one secret is held to be wrong
//     for all, and the error names every secret that is lost. An importer reads the Survey before it writes anything.
//   - Secrets in the clear are of type Plain, which prints as "***" wherever it turns up; errors never hold one.
//   - The data directory is only read. Keys come from its etc/nexus.properties, the files named there, or from the caller.
//
// Example:
//
//	keys, err := secrets.ReadKeys(dataDir, nil)
//	if err != nil { … }
//	vault, err := secrets.Open(ctx, db, keys)
//	if err != nil { … }
//	survey, err := vault.Survey(ctx)
//	var lost *secrets.LostError
//	if errors.As(err, &lost) { … } // names them; the survey has the rest
package secrets
