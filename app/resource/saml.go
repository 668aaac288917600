package resource

import (
	"context"

	"entrepot/app/access"
	"entrepot/app/access/saml"
)

// SAML says how people sign in by SAML: with which identity provider, and what its answers mean.
type SAML struct {
	EntityID    string `json:"entityId,omitempty" example:"https://repository.example.org/service/rest/v1/security/saml/metadata"` // what the server is called there; absent: its external URL with that path
	IDPMetadata string `json:"idpMetadata"`                                                                                        // XML that describes the provider
	// Names of attributes of the provider's assertions.
	UsernameAttribute  string `json:"usernameAttribute" example:"username"`
	FirstNameAttribute string `json:"firstNameAttribute,omitempty"`
	LastNameAttribute  string `json:"lastNameAttribute,omitempty"`
	EmailAttribute     string `json:"emailAttribute,omitempty"`
	GroupsAttribute    string `json:"groupsAttribute,omitempty"` // its values are roles where one of the same id exists
	// What has to be signed. Where nothing is said, one of both has to be.
	ValidateResponseSignature  *bool `json:"validateResponseSignature,omitempty"`
	ValidateAssertionSignature *bool `json:"validateAssertionSignature,omitempty"`
}

// SAML gives how people sign in by SAML.
func (r *Resources) SAML() *Value[SAML] {
	return &Value[SAML]{
		Name:  "saml",
		Blank: func() SAML { return SAML{} },
		Get: func(ctx context.Context) (SAML, error) {
			s, err := r.Options.SAML.Settings(ctx)
			if access.KindOf(err) == access.NotFound {
				return SAML{}, nil
			}
			return SAML{
				EntityID: s.EntityID, IDPMetadata: s.IDPMetadata, UsernameAttribute: s.Username, FirstNameAttribute: s.FirstName, LastNameAttribute: s.LastName,
				EmailAttribute: s.Email, GroupsAttribute: s.Groups, ValidateResponseSignature: s.ValidateResponse, ValidateAssertionSignature: s.ValidateAssertion,
			}, err
		},
		Row: r.Options.SAML.Row,
		Put: func(ctx context.Context, actor access.Actor, doc SAML) error {
			_, err := r.Options.SAML.Set(ctx, actor, saml.Settings{
				EntityID: doc.EntityID, IDPMetadata: doc.IDPMetadata, Username: doc.UsernameAttribute, FirstName: doc.FirstNameAttribute, LastName: doc.LastNameAttribute,
				Email: doc.EmailAttribute, Groups: doc.GroupsAttribute, ValidateResponse: doc.ValidateResponseSignature, ValidateAssertion: doc.ValidateAssertionSignature,
			})
			return err
		},
		Clear: func(ctx context.Context, actor access.Actor) error {
			err := r.Options.SAML.Delete(ctx, actor)
			if access.KindOf(err) == access.NotFound {
				return nil
			}
			return err
		},
		Unset: func(doc *SAML) bool { return doc.IDPMetadata == "" },
	}
}
