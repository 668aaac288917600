package resource

import (
	"entrepot/app/mail"
	"entrepot/app/repository"
)

// Shown gives the document of what a domain keeps, for people to read; what has no document here is given back as it is.
func Shown(v any) any {
	switch v := v.(type) {
	case repository.Definition:
		return repositoryOf(v)
	case repository.BlobStore:
		return blobStoreOf(v)
	case repository.RoutingRule:
		return ruleOf(v)
	case mail.Settings:
		return emailOf(v)
	}
	return v
}
