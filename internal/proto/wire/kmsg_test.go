package wire

import (
	"math/rand/v2"
	"reflect"
	"strings"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// filler fills kmsg structures with random values, for comparing our bytes with those of kmsg.
type filler struct {
	*rand.Rand
	maxLen int  // of arrays, strings and bytes
	nulls  bool // pointers and byte slices may be nil
	tags   bool // structures may have unknown tagged fields
}

func newFiller(seed uint64) *filler {
	return &filler{Rand: rand.New(rand.NewPCG(seed, 1)), maxLen: 4, nulls: true}
}

func (f *filler) fill(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if f.nulls && f.IntN(3) == 0 {
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[kmsg.Tags]() {
			if f.tags && f.IntN(4) == 0 {
				v.Addr().Interface().(*kmsg.Tags).Set(100+f.Uint32N(1000), []byte("unknown"))
			}
			return
		}
		for i := range v.NumField() {
			if v.Type().Field(i).Name != "Version" {
				f.fill(v.Field(i))
			}
		}
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 && f.nulls && f.IntN(4) == 0 {
			return
		}
		n := f.IntN(f.maxLen + 1)
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			f.fill(v.Index(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			f.fill(v.Index(i))
		}
	case reflect.String:
		v.SetString(strings.Repeat("x", f.IntN(f.maxLen+1)))
	case reflect.Bool:
		v.SetBool(f.IntN(2) == 0)
	case reflect.Uint8:
		v.SetUint(uint64(f.IntN(256)))
	case reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.Uint64()) >> f.IntN(60))
	default:
		panic("no filling for " + v.Type().String())
	}
}

// request returns a request of an API with random content.
func (f *filler) request(key, version int16) kmsg.Request {
	req := kmsg.RequestForKey(key)
	req.SetVersion(version)
	f.fill(reflect.ValueOf(req).Elem())
	return req
}

// stripTags takes all unknown tagged fields out of a kmsg structure.
func stripTags(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer:
		if !v.IsNil() {
			stripTags(v.Elem())
		}
	case reflect.Slice:
		for i := range v.Len() {
			stripTags(v.Index(i))
		}
	case reflect.Struct:
		if v.Type() == reflect.TypeFor[kmsg.Tags]() {
			v.SetZero()
			return
		}
		for i := range v.NumField() {
			stripTags(v.Field(i))
		}
	}
}
