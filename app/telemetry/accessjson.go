package telemetry

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// JSONLines formats lines as slog.JSONHandler does, at a fraction of its cost.
func JSONLines(b []byte, a *Access) []byte {
	b = append(b, `{"time":"`...)
	b = a.Time.AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","level":"INFO","msg":"request"`...)
	b = appendText(b, `,"method":`, a.Method)
	b = appendText(b, `,"path":`, a.Path)
	b = strconv.AppendInt(append(b, `,"status":`...), int64(a.Status), 10)
	b = strconv.AppendInt(append(b, `,"bytes":`...), a.Bytes, 10)
	b = strconv.AppendInt(append(b, `,"duration":`...), a.Duration.Nanoseconds(), 10)
	b = appendText(b, `,"remote":`, a.Remote)
	b = strconv.AppendUint(append(b, `,"id":`...), a.ID, 10)
	b = appendSet(b, `,"user":`, a.Caller)
	b = appendSet(b, `,"repository":`, a.Repository)
	b = appendSet(b, `,"format":`, a.Format)
	b = appendSet(b, `,"class":`, a.Class)
	b = appendSet(b, `,"error":`, a.Error)
	return append(b, '}', '\n')
}

// appendSet leaves out what is empty.
func appendSet(b []byte, name, text string) []byte {
	if text == "" {
		return b
	}
	return appendText(b, name, text)
}

const hexDigits = "0123456789abcdef"

// appendText appends a name as given and a text as a JSON string.
func appendText(b []byte, name, text string) []byte {
	b = append(append(b, name...), '"')
	start := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= ' ' && c < utf8.RuneSelf && c != '"' && c != '\\' {
			i++
			continue
		}
		r, size := rune(c), 1
		if c >= utf8.RuneSelf {
			r, size = utf8.DecodeRuneInString(text[i:])
			if !(r == utf8.RuneError && size == 1) && r != '\u2028' && r != '\u2029' {
				i += size
				continue
			}
		}
		b = append(append(b, text[start:i]...), '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
		i += size
		start = i
	}
	return append(append(b, text[start:]...), '"')
}
