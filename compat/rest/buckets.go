package rest

import (
	"net/http"
	"strconv"

	"entrepot/app/repository"
	"entrepot/app/server"
	"entrepot/formats"
)

// bucketType is the type of blob stores in S3 buckets. This server keeps what an import brings of them, and makes none: its blobs lie in
// folders.
const bucketType = "s3"

func (a *API) bucketOperations() []operation {
	const path = "v1/blobstores/s3"
	return []operation{
		{method: http.MethodPost, path: path, access: server.PermissionAfterBody("nexus:blobstores:create"), consumes: mediaJSON, run: a.createBucket},
		{method: http.MethodGet, path: path + "/{name}", access: server.Permission("nexus:blobstores:read"), run: a.getBucket},
		{method: http.MethodPut, path: path + "/{name}", access: server.PermissionAfterBody("nexus:blobstores:update"), consumes: mediaJSON, run: a.updateBucket},
		{method: http.MethodPost, path: "v1/blobstores/test-connection", access: server.PermissionAfterBody("nexus:blobstores:read"), consumes: mediaJSON, run: testBucket},
	}
}

type bucketStoreBody struct {
	Name   *string           `json:"name"`
	Config *bucketConfigBody `json:"bucketConfiguration"`
	Quota  *quotaBody        `json:"softQuota"`
}

type bucketConfigBody struct {
	Bucket     *bucketBody           `json:"bucket"`
	Encryption *encryptionBody       `json:"encryption"`
	Security   *bucketSecurityBody   `json:"bucketSecurity" alias:"security"`
	Connection *bucketConnectionBody `json:"advancedBucketConnection" alias:"advancedConnection"`
	Failover   []failoverBody        `json:"failoverBuckets"`
	Active     *string               `json:"activeRegion"`
}

type failoverBody struct {
	Region *string `json:"region"`
	Name   *string `json:"bucketName"`
}

type bucketBody struct {
	Region     *string `json:"region"`
	Name       *string `json:"name"`
	Prefix     *string `json:"prefix"`
	Expiration *int    `json:"expiration"`
}

type bucketSecurityBody struct {
	AccessKey *string `json:"accessKeyId"`
	Secret    *string `json:"secretAccessKey"`
	Role      *string `json:"role"`
	Session   *string `json:"sessionToken"`
}

type bucketConnectionBody struct {
	Endpoint  *string `json:"endpoint"`
	Signer    *string `json:"signerType"`
	PathStyle *bool   `json:"forcePathStyle"`
	Pool      *int    `json:"maxConnectionPoolSize"`
}

type encryptionBody struct {
	Type *string `json:"encryptionType"`
	Key  *string `json:"encryptionKey"`
}

// check reports what constraint checks of the old server report.
func (b *bucketStoreBody) check() violations {
	var v violations
	need(&v, "name", b.Name)
	if need(&v, "bucketConfiguration", b.Config) && need(&v, "bucket", b.Config.Bucket) {
		need(&v, "region", b.Config.Bucket.Region)
		need(&v, "name", b.Config.Bucket.Name)
	}
	return v
}

// refusal says why a store cannot be made. The last reason is always true: what cannot be used is not kept.
func (b *bucketStoreBody) refusal() error {
	bucket := *b.Config.Bucket.Name
	cannot := func(cause string) string {
		return "Unable to initialize blob store bucket: " + bucket + ", Cause: " + cause
	}
	text := ""
	switch problems := repository.CheckQuota(b.Quota.quota()); {
	case *b.Name == "":
		text = "Blob store name cannot be empty"
	case len(problems) > 0:
		text = problems[0].Message
	case bucket == "":
		text = cannot("bucketName cannot be empty")
	case b.Config.Encryption != nil && !knownEncryption(deref(b.Config.Encryption.Type)):
		text = cannot("Failed to find encrypter for id:" + *b.Config.Encryption.Type)
	default:
		text = cannot("this server keeps blobs in folders, it has no driver for buckets yet")
	}
	return &message{status: http.StatusBadRequest, text: text, plain: true}
}

func knownEncryption(t string) bool {
	return t == "" || t == "none" || t == "s3ManagedEncryption" || t == "kmsManagedEncryption"
}

// bucketInput reads and checks a body, then the caller's right.
func (c *call) bucketInput() (*bucketStoreBody, error) {
	var b bucketStoreBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	if v := b.check(); len(v) > 0 {
		return nil, v
	}
	return &b, c.authorize()
}

func (a *API) createBucket(c *call) (any, error) {
	b, err := c.bucketInput()
	if err != nil {
		return nil, err
	}
	return nil, b.refusal()
}

func (a *API) updateBucket(c *call) (any, error) {
	b, err := c.bucketInput()
	if err != nil {
		return nil, err
	}
	name := c.Param("name")
	switch s, err := a.engine.BlobStore(name); {
	case err != nil:
		return nil, violations{{"name", "No S3 blob store called '" + name + "'"}}
	case s.Type != bucketType:
		return nil, violations{{"*", "Blob store " + name + " is not an S3 blob store"}}
	}
	return nil, b.refusal()
}

// getBucket shows the settings that an import brought, without secrets.
func (a *API) getBucket(c *call) (any, error) {
	name := c.Param("name")
	s, err := a.engine.BlobStore(name)
	switch {
	case formats.KindOf(err) == formats.NotFound:
		return nil, noStore("S3", name)
	case err != nil:
		return nil, err
	case s.Type != bucketType:
		return nil, quotedf(http.StatusBadRequest, "%s is not an S3 blob store.", name)
	}
	return bucketStore(s), nil
}

func bucketStore(s repository.BlobStore) object {
	text := func(key string) any { return emptyAsNull(s.Attributes[key]) }
	number := func(key string) any {
		if n, err := strconv.Atoi(s.Attributes[key]); err == nil {
			return n
		}
		return nil
	}
	var secret any
	if s.Attributes["accessKeyId"] != "" {
		secret = placeholder
	}
	config := object{
		{"bucket", object{{"region", text("region")}, {"name", text("bucket")}, {"prefix", text("prefix")}, {"expiration", number("expiration")}}},
		{"bucketSecurity", present(object{{"accessKeyId", text("accessKeyId")}, {"secretAccessKey", secret}, {"role", text("assumeRole")}})},
		{"encryption", present(object{{"encryptionType", text("encryption_type")}, {"encryptionKey", text("encryption_key")}})},
		{"advancedBucketConnection", present(object{
			{"endpoint", text("endpoint")}, {"signerType", text("signertype")}, {"forcePathStyle", settingValue(repository.SettingFlag, s.Attributes["forcepathstyle"])},
			{"maxConnectionPoolSize", number("max_connection_pool_size")},
		})},
		{"failoverBuckets", []object{}}, {"activeRegion", nil},
	}
	return object{{"name", s.Name}, {"softQuota", softQuota(s.Quota)}, {"bucketConfiguration", config}, {"type", "S3"}}
}

// present gives null for an object of which no member has a value.
func present(o object) any {
	for _, m := range o {
		if m.value != nil {
			return o
		}
	}
	return nil
}

// testBucket tells that no bucket can be reached, as plain text under the type that clients expect here.
func testBucket(c *call) (any, error) {
	var b struct{}
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	const text = "Connection failed, check the logs for more information."
	c.api.Log.Warn("connection to a bucket was tested: this server has no driver for buckets yet")
	resp := textResponse(http.StatusBadRequest, text)
	resp.Header.Set("Content-Type", string(mediaJSON))
	return resp, nil
}
