package nexusdir

import (
	"fmt"
	"strings"
	"time"
)

// The tables that an import needs, as H2 2.3 writes them into its catalogue.
const (
	historyTable = `CREATE CACHED TABLE "PUBLIC"."flyway_schema_history"( "installed_rank" INTEGER NOT NULL, "version" CHARACTER VARYING(50) )`
	storeTable   = `CREATE CACHED TABLE "PUBLIC"."BLOB_STORE_CONFIGURATION"( "ID" UUID NOT NULL, "NAME" CHARACTER VARYING(256) NOT NULL,
 "TYPE" CHARACTER VARYING(100) NOT NULL, "ATTRIBUTES" JSON NOT NULL )`
	repositoryTable = `CREATE CACHED TABLE "PUBLIC"."REPOSITORY"( "ID" UUID NOT NULL, "NAME" CHARACTER VARYING(200) NOT NULL,
 "RECIPE_NAME" CHARACTER VARYING(200) NOT NULL, "ONLINE" BOOLEAN NOT NULL, "ROUTING_RULE_ID" UUID, "ATTRIBUTES" JSON NOT NULL )`
	deploymentTable = `CREATE CACHED TABLE "PUBLIC"."DEPLOYMENT_ID"( "ID" INTEGER NOT NULL, "DEPLOYMENT_ID" CHARACTER VARYING(200) NOT NULL )`
	contentTable    = `CREATE CACHED TABLE "PUBLIC"."MAVEN2_CONTENT_REPOSITORY"( "REPOSITORY_ID" INTEGER NOT NULL,
 "CONFIG_REPOSITORY_ID" UUID NOT NULL, "ATTRIBUTES" JSON NOT NULL, "CREATED" TIMESTAMP WITH TIME ZONE NOT NULL,
 "LAST_UPDATED" TIMESTAMP WITH TIME ZONE NOT NULL )`
	componentTable = `CREATE CACHED TABLE "PUBLIC"."MAVEN2_COMPONENT"( "COMPONENT_ID" INTEGER NOT NULL, "REPOSITORY_ID" INTEGER NOT NULL,
 "NAMESPACE" CHARACTER VARYING NOT NULL, "NAME" CHARACTER VARYING NOT NULL, "KIND" CHARACTER VARYING NOT NULL,
 "VERSION" CHARACTER VARYING NOT NULL, "NORMALIZED_VERSION" CHARACTER VARYING, "ATTRIBUTES" JSON NOT NULL,
 "CREATED" TIMESTAMP WITH TIME ZONE NOT NULL, "LAST_UPDATED" TIMESTAMP WITH TIME ZONE NOT NULL, "ENTITY_VERSION" INTEGER,
 "BASE_VERSION" CHARACTER VARYING )`
	assetTable = `CREATE CACHED TABLE "PUBLIC"."MAVEN2_ASSET"( "ASSET_ID" INTEGER NOT NULL, "REPOSITORY_ID" INTEGER NOT NULL,
 "PATH" CHARACTER VARYING NOT NULL, "KIND" CHARACTER VARYING NOT NULL, "COMPONENT_ID" INTEGER, "ASSET_BLOB_ID" INTEGER,
 "LAST_DOWNLOADED" TIMESTAMP WITH TIME ZONE, "ATTRIBUTES" JSON NOT NULL, "CREATED" TIMESTAMP WITH TIME ZONE NOT NULL,
 "LAST_UPDATED" TIMESTAMP WITH TIME ZONE NOT NULL, "ASSET_BLOB_SIZE" BIGINT )`
	blobTable = `CREATE CACHED TABLE "PUBLIC"."MAVEN2_ASSET_BLOB"( "ASSET_BLOB_ID" INTEGER NOT NULL, "BLOB_REF" CHARACTER VARYING NOT NULL,
 "BLOB_SIZE" BIGINT NOT NULL, "CONTENT_TYPE" CHARACTER VARYING NOT NULL, "CHECKSUMS" JSON NOT NULL,
 "BLOB_CREATED" TIMESTAMP WITH TIME ZONE NOT NULL, "CREATED_BY" CHARACTER VARYING, "CREATED_BY_IP" CHARACTER VARYING,
 "ADDED_TO_REPOSITORY" TIMESTAMP WITH TIME ZONE )`
)

// Attributes of the repository.
const settings = `{"maven":{"versionPolicy":"RELEASE","layoutPolicy":"STRICT","contentDisposition":"INLINE"},` +
	`"storage":{"blobStoreName":"default","strictContentTypeValidation":false,"writePolicy":"ALLOW_ONCE"}}`

// database writes the rows of the large tables side by side.
type database struct {
	store                      *store
	components, assets, bodies *tree
	count                      int // assets
}

// openDatabase starts a database with the small tables.
func openDatabase(name string) (*database, error) {
	s, err := createStore(name)
	if err != nil {
		return nil, err
	}
	repository := identity{1, 2, 3}
	for _, t := range []struct {
		sql string
		row []any
	}{
		{historyTable, []any{1, "2.12"}},
		{storeTable, []any{identity{4}, "default", "File", object(`{"file":{"path":"default"}}`)}},
		{repositoryTable, []any{repository, Repository, "maven2-hosted", true, nil, object(settings)}},
		{deploymentTable, []any{1, "00000000-bench"}},
		{contentTable, []any{1, repository, object("{}"), born, born}},
	} {
		table := s.table(t.sql)
		table.row(t.row...)
		table.end()
	}
	return &database{store: s, components: s.table(componentTable), assets: s.table(assetTable), bodies: s.table(blobTable)}, nil
}

// component writes the rows of one component and its assets.
func (d *database) component(c int, assets []asset) {
	if len(assets) == 0 {
		return
	}
	folder, _ := coordinates(c)
	parts := strings.Split(strings.TrimPrefix(folder, "/"), "/")
	group, artifact, version := strings.Join(parts[:len(parts)-2], "."), parts[len(parts)-2], parts[len(parts)-1]
	common := fmt.Sprintf(`"baseVersion":%q,"groupId":%q,"artifactId":%q,"version":%q`, version, group, artifact, version)
	first, last := assets[0].created, assets[len(assets)-1].created
	d.components.row(c+1, 1, group, artifact, "jar", version, nil, object(`{"maven2":{"extension":"jar","packaging":"jar",`+common+`}}`), first, last, nil, version)
	for _, a := range assets {
		d.count++
		attributes := fmt.Sprintf(`{"maven2":{"extension":%q,%s}}`, a.extension, common)
		if a.classifier != "" {
			attributes = fmt.Sprintf(`{"maven2":{"extension":%q,"classifier":%q,%s}}`, a.extension, a.classifier, common)
		}
		d.assets.row(d.count, 1, a.path, a.kind, c+1, d.count, nil, object(attributes), a.created.Add(time.Millisecond), a.created.Add(2*time.Millisecond), a.size)
		d.bodies.row(d.count, "default@"+a.id, a.size, a.contentType, object(a.sums), a.created, "deployer", "10.0.0.1", a.created.Add(time.Millisecond))
	}
}

func (d *database) close() error {
	for _, t := range []*tree{d.components, d.assets, d.bodies} {
		t.end()
	}
	return d.store.close()
}
