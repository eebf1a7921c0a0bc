// franz-go's sr: the registry client of Go programs, of Redpanda Console and rpk.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/sr"
)

const text = "syntax = \"proto3\"; package shop; message Order { string id = 1; }"

var (
	client *sr.Client
	failed bool
)

func check(name string, run func(context.Context) error) {
	limit, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	if err := run(limit); err != nil {
		failed = true
		fmt.Printf("not ok %s: %s\n", name, strings.Join(strings.Fields(err.Error()), " "))
		return
	}
	fmt.Printf("ok %s\n", name)
}

func equal(got, wanted any) error {
	if reflect.DeepEqual(got, wanted) {
		return nil
	}
	return fmt.Errorf("%v is not %v", got, wanted)
}

func order(more string) sr.Schema {
	return sr.Schema{Schema: strings.Replace(text, "}", more+"}", 1), Type: sr.TypeProtobuf}
}

// What the library takes an error for.
func code(err error) *sr.Error {
	var answer *sr.ResponseError
	if !errors.As(err, &answer) {
		return nil
	}
	return answer.SchemaError()
}

// CreateSchema asks for the id's uses at once and wants to find the subject there.
func registering(ctx context.Context) error {
	first, err := client.CreateSchema(ctx, "s1", order(""))
	if err != nil {
		return err
	}
	again, err := client.CreateSchema(ctx, "s1", order(""))
	if err != nil {
		return err
	}
	second, err := client.CreateSchema(ctx, "s1", order("int32 n = 2;"))
	if err != nil {
		return err
	}
	if err := equal([]int{again.ID, again.Version, second.Version}, []int{first.ID, 1, 2}); err != nil {
		return err
	}
	found, err := client.LookupSchema(ctx, "s1", order(""))
	if err != nil {
		return err
	}
	return equal([]int{found.ID, found.Version}, []int{first.ID, 1})
}

func reading(ctx context.Context) error {
	latest, err := client.SchemaByVersion(ctx, "s1", -1)
	if err != nil {
		return err
	}
	versions, err := client.SubjectVersions(ctx, "s1")
	if err != nil {
		return err
	}
	byID, err := client.SchemaByID(ctx, latest.ID)
	if err != nil {
		return err
	}
	types, err := client.SupportedTypes(ctx)
	if err != nil {
		return err
	}
	if byID.Type != sr.TypeProtobuf || byID.Schema != latest.Schema.Schema || len(types) != 3 {
		return fmt.Errorf("the id has another schema: %v, %v", byID, types)
	}
	return equal(versions, []int{1, 2})
}

func refusing(ctx context.Context) error {
	_, err := client.CreateSchema(ctx, "s1", sr.Schema{
		Schema: strings.Replace(text, "string", "int64", 1), Type: sr.TypeProtobuf})
	if code(err) != sr.ErrIncompatibleSchema {
		return fmt.Errorf("not ErrIncompatibleSchema: %v", err)
	}
	_, err = client.SchemaByVersion(ctx, "nobody", -1)
	if code(err) != sr.ErrSubjectNotFound {
		return fmt.Errorf("not ErrSubjectNotFound: %v", err)
	}
	verdict, err := client.CheckCompatibility(ctx, "s1", -1, order("bool b = 3;"))
	if err != nil {
		return err
	}
	return equal(verdict.Is, true)
}

func settings(ctx context.Context) error {
	for _, one := range client.SetCompatibility(ctx, sr.SetCompatibility{Level: sr.CompatFull}, "s1") {
		if one.Err != nil {
			return one.Err
		}
	}
	levels := client.Compatibility(ctx, "s1", sr.GlobalSubject)
	return equal([]any{levels[0].Level, levels[1].Level}, []any{sr.CompatFull, sr.CompatBackward})
}

func deleting(ctx context.Context) error {
	if _, err := client.DeleteSubject(ctx, "s1", sr.SoftDelete); err != nil {
		return err
	}
	versions, err := client.DeleteSubject(ctx, "s1", sr.HardDelete)
	if err != nil {
		return err
	}
	return equal(versions, []int{1, 2})
}

func main() {
	url := os.Getenv("MILLRACE_REGISTRY")
	if url == "" {
		fmt.Println("skip all: there is no registry")
		return
	}
	var err error
	if client, err = sr.NewClient(sr.URLs(url)); err != nil {
		panic(err)
	}
	check("registering and looking up", registering)
	check("reading", reading)
	check("what is refused", refusing)
	check("settings", settings)
	check("deleting", deleting)
	if failed {
		os.Exit(1)
	}
}
