// Package entrepot is the root of Entrepot, an artifact repository server that takes the place of a Sonatype Nexus Repository 3. It
// holds only the tests of the tree's structure; the program is app/entrepot.
package entrepot
