package h2

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"math/big"
	"strings"
	"time"
)

// Table describes a table as its CREATE TABLE statement does.
type Table struct {
	Schema  string
	Name    string
	Columns []Column
	// Entries is about how many rows there are, known without reading them: uncommitted rows of a store count, too.
	Entries int64

	index map[string]int
	// id is the table's number in a store; parts are the places of its rows in a script.
	id    int32
	parts []part
}

// Column describes a column.
type Column struct {
	Name string
	// Type is the standard name without length or precision, such as "CHARACTER VARYING" or "TIMESTAMP WITH TIME ZONE".
	Type     string
	Nullable bool

	kind   kind
	labels []string // of an ENUM
}

// Column finds a column's position by its name in any letter case.
func (t *Table) Column(name string) (int, bool) {
	i, ok := t.index[strings.ToLower(name)]
	return i, ok
}

// Row is one row.
type Row struct {
	Table *Table
	// ID is H2's row id, which orders the rows of a store; 0 in a script.
	ID int64
	// Values are in the order of Table.Columns. Their Go types:
	//
	//	NULL                                          nil
	//	BOOLEAN                                       bool
	//	TINYINT, SMALLINT, INTEGER, BIGINT            int64
	//	REAL, DOUBLE PRECISION                        float64
	//	NUMERIC, DECFLOAT                             Decimal
	//	CHARACTER, … VARYING, … LARGE OBJECT, ENUM    string
	//	BINARY, … VARYING, … LARGE OBJECT, JAVA_OBJECT  []byte
	//	UUID                                          UUID
	//	JSON                                          json.RawMessage, as H2 stores it: valid UTF-8, not checked further
	//	DATE, TIMESTAMP                               time.Time in UTC, though no zone is meant
	//	TIME                                          time.Duration since midnight
	//	TIMESTAMP WITH TIME ZONE                      time.Time in the stored offset
	//	ARRAY                                         []any of these
	Values []any
}

// Get gives the value of a column, by name in any letter case. ok is false when the value is NULL. A column that the table does not
// have is ErrNotFound, one of another Go type ErrType.
func Get[T any](r Row, column string) (value T, ok bool, err error) {
	i, found := r.Table.Column(column)
	if !found {
		return value, false, fmt.Errorf("%w: column %s of table %s", ErrNotFound, column, r.Table.Name)
	}
	if r.Values[i] == nil {
		return value, false, nil
	}
	value, ok = r.Values[i].(T)
	if !ok {
		return value, false, fmt.Errorf("%w: column %s of table %s is %T, wanted %T", ErrType, column, r.Table.Name, r.Values[i], value)
	}
	return value, true, nil
}

// UUID is a UUID in big-endian order.
type UUID [16]byte

// String gives the usual form in lower case.
func (u UUID) String() string {
	h := hex.EncodeToString(u[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// Decimal is an exact number: Unscaled divided by ten to the power of Scale.
type Decimal struct {
	Unscaled *big.Int
	Scale    int32
}

// String gives plain digits, or an exponent where there would be more than a thousand zeros.
func (d Decimal) String() string {
	digits := d.Unscaled.String()
	if d.Scale == 0 {
		return digits
	}
	if d.Scale < -1000 || d.Scale > 1000 {
		return fmt.Sprintf("%sE%d", digits, -int64(d.Scale))
	}
	if d.Scale < 0 {
		if d.Unscaled.Sign() == 0 {
			return "0"
		}
		return digits + strings.Repeat("0", int(-d.Scale))
	}
	sign := ""
	if digits[0] == '-' {
		sign, digits = "-", digits[1:]
	}
	if missing := int(d.Scale) + 1 - len(digits); missing > 0 {
		digits = strings.Repeat("0", missing) + digits
	}
	point := len(digits) - int(d.Scale)
	return sign + digits[:point] + "." + digits[point:]
}

// kind is a class of column types that have one Go type.
type kind int

const (
	kindUnknown kind = iota // a domain, or a type of a plugin: values are taken as they come
	kindBool
	kindInt8
	kindInt16
	kindInt32
	kindInt64
	kindFloat
	kindDecimal
	kindText
	kindBytes
	kindUUID
	kindJSON
	kindDate
	kindTime
	kindTimestamp
	kindTimestampTZ
	kindEnum
	kindArray
)

// kindOf gives the kind of a standard type name.
func kindOf(name string) kind {
	switch name {
	case "BOOLEAN":
		return kindBool
	case "TINYINT":
		return kindInt8
	case "SMALLINT":
		return kindInt16
	case "INTEGER":
		return kindInt32
	case "BIGINT":
		return kindInt64
	case "REAL", "DOUBLE PRECISION", "FLOAT":
		return kindFloat
	case "NUMERIC", "DECFLOAT":
		return kindDecimal
	case "CHARACTER", "CHARACTER VARYING", "VARCHAR_IGNORECASE", "CHARACTER LARGE OBJECT":
		return kindText
	case "BINARY", "BINARY VARYING", "BINARY LARGE OBJECT", "JAVA_OBJECT":
		return kindBytes
	case "UUID":
		return kindUUID
	case "JSON":
		return kindJSON
	case "DATE":
		return kindDate
	case "TIME":
		return kindTime
	case "TIMESTAMP":
		return kindTimestamp
	case "TIMESTAMP WITH TIME ZONE":
		return kindTimestampTZ
	case "ENUM":
		return kindEnum
	}
	return kindUnknown
}

// standardName turns the names that H2 1.4 writes into the standard ones.
func standardName(name string) string {
	switch name {
	case "VARCHAR":
		return "CHARACTER VARYING"
	case "CHAR":
		return "CHARACTER"
	case "CLOB", "TEXT":
		return "CHARACTER LARGE OBJECT"
	case "BLOB":
		return "BINARY LARGE OBJECT"
	case "VARBINARY":
		return "BINARY VARYING"
	case "INT":
		return "INTEGER"
	case "DOUBLE":
		return "DOUBLE PRECISION"
	case "DECIMAL":
		return "NUMERIC"
	case "OTHER":
		return "JAVA_OBJECT"
	}
	return name
}

// check says what is wrong with a value of the column, or nothing.
func (c *Column) check(v any) string {
	if v == nil {
		if c.Nullable {
			return ""
		}
		return "NULL in a column that is NOT NULL"
	}
	if c.kind == kindUnknown || c.holds(v) {
		return ""
	}
	return fmt.Sprintf("%T is no value of type %s", v, c.Type)
}

// holds reports whether the value has the Go type, and for whole numbers the range, of the column.
func (c *Column) holds(v any) bool {
	switch v := v.(type) {
	case bool:
		return c.kind == kindBool
	case int64:
		return c.kind == kindInt64 || c.kind == kindInt32 && int64(int32(v)) == v || c.kind == kindInt16 && int64(int16(v)) == v ||
			c.kind == kindInt8 && v >= math.MinInt8 && v <= math.MaxInt8
	case float64:
		return c.kind == kindFloat
	case Decimal:
		return c.kind == kindDecimal
	case string:
		return c.kind == kindText || c.kind == kindEnum
	case []byte:
		return c.kind == kindBytes
	case UUID:
		return c.kind == kindUUID
	case json.RawMessage:
		return c.kind == kindJSON
	case time.Duration:
		return c.kind == kindTime
	case time.Time:
		return c.kind == kindDate || c.kind == kindTimestamp || c.kind == kindTimestampTZ
	}
	return c.kind == kindArray
}
