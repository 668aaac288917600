package rest

import (
	"net/http"
	"os"

	"entrepot/app/server"
)

// clusterOperations answer for the servers of a cluster, of which this is the only one.
func (a *API) clusterOperations() []operation {
	may := server.Permission("nexus:metrics:read")
	return []operation{
		{method: http.MethodGet, path: "beta/status/check/cluster", access: may, run: a.checkCluster},
		{method: http.MethodGet, path: "beta/status/check/{id}", access: may, run: a.checkNode},
	}
}

func (a *API) checkCluster(c *call) (any, error) {
	var results object
	for _, one := range a.Diagnostics.Checks(c.Context()) {
		results = append(results, member{one.Name, object{{"healthy", one.Healthy}, {"message", orNull(one.Message)}}})
	}
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	return []object{{{"hostname", host}, {"nodeId", a.Node.ID()}, {"results", results}}}, nil
}

func (a *API) checkNode(c *call) (any, error) {
	if c.Param("id") != a.Node.ID() {
		return nil, statusOnly(http.StatusNotFound)
	}
	return a.check(c)
}
