package rest

import (
	"log/slog"
	"net/http"
	"strings"

	"entrepot/app/server"
)

// rootLogger is the name under which clients know the log. The old server has a logger for each of its parts besides; here there is one.
const rootLogger = "ROOT"

func (a *API) loggingOperations() []operation {
	const levels, logs = "internal/ui/loggingConfiguration", "internal/logging/"
	read, update := server.Permission("nexus:logging:read"), server.Permission("nexus:logging:update")
	return []operation{
		{method: http.MethodGet, path: levels, access: read, run: a.listLoggers},
		{method: http.MethodPost, path: levels + "/reset", access: update, run: a.resetLogger},
		{method: http.MethodGet, path: levels + "/{name}", access: read, run: a.getLogger},
		{method: http.MethodPut, path: levels + "/{name}", access: server.PermissionAfterBody("nexus:logging:update"), consumes: mediaJSON, run: a.setLogger},
		{method: http.MethodPost, path: levels + "/{name}/reset", access: update, run: a.resetLogger},
		{method: http.MethodPost, path: logs + "log/mark", access: server.PermissionAfterBody("nexus:logging:create"), consumes: mediaText, run: a.markLog},
		{method: http.MethodGet, path: logs + "logs", access: read, run: listLogs},
		{method: http.MethodGet, path: logs + "logs/{filename}", access: read, produces: mediaText, run: getLog},
	}
}

// loggerLevels are the levels in the old words, from the one that lets everything through.
var loggerLevels = []struct {
	word  string
	level slog.Level
}{
	{"TRACE", slog.LevelDebug - 4}, {"DEBUG", slog.LevelDebug}, {"INFO", slog.LevelInfo}, {"WARN", slog.LevelWarn}, {"ERROR", slog.LevelError},
	{"OFF", slog.LevelError + 4},
}

// logger describes the level of the log. Under any other name than its own it is what that name would follow.
func (a *API) logger(name string) object {
	word := loggerLevels[0].word
	for _, l := range loggerLevels {
		if l.level <= a.Level.Level() {
			word = l.word
		}
	}
	return object{{"name", name}, {"level", word}, {"override", name == rootLogger}}
}

func (a *API) listLoggers(*call) (any, error) { return []object{a.logger(rootLogger)}, nil }

func (a *API) getLogger(c *call) (any, error) { return a.logger(c.Param("name")), nil }

type loggerBody struct {
	Level string `json:"level"`
}

// setLogger changes what is logged until the server is started again: then its configuration counts.
func (a *API) setLogger(c *call) (any, error) {
	var b loggerBody
	if err := c.decode(&b); err != nil {
		return nil, err
	}
	word := strings.ToUpper(b.Level)
	level, known := a.FirstLevel, word == "DEFAULT"
	for _, l := range loggerLevels {
		if l.word == word {
			level, known = l.level, true
		}
	}
	if !known {
		return nil, &errShape{[]string{"level"}, "Cannot deserialize value: not one of the values accepted: [DEFAULT, DEBUG, TRACE, WARN, ERROR, INFO, OFF]"}
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	if c.Param("name") != rootLogger {
		return nil, quotedf(http.StatusBadRequest, "There is one log here: set the level of %s", rootLogger)
	}
	a.Level.Set(level)
	a.Log.InfoContext(c.Context(), "log level changed", "level", level, "user", c.subject.UserID())
	return nil, nil
}

// resetLogger goes back to the level of the configuration.
func (a *API) resetLogger(c *call) (any, error) {
	if err := c.signedIn(); err != nil {
		return nil, err
	}
	if name := c.Param("name"); name == "" || name == rootLogger {
		a.Level.Set(a.FirstLevel)
	}
	return nil, nil
}

// markLog writes a text into the log, so that it is found again there.
func (a *API) markLog(c *call) (any, error) {
	text, err := c.bytes()
	if err != nil {
		return nil, err
	}
	if err := c.authorize(); err != nil {
		return nil, err
	}
	a.Log.InfoContext(c.Context(), "mark", "text", string(text), "user", c.subject.UserID())
	return nil, nil
}

// listLogs lists no files: the log goes where the server was started, for example into the system's journal.
func listLogs(*call) (any, error) { return []object{}, nil }

func getLog(*call) (any, error) { return nil, statusOnly(http.StatusNotFound) }
