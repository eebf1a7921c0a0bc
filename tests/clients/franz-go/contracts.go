// kgo after a batch with a record that breaks its topic's contract. It drops the broker's words and
// tells all records of the batch the same.
package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

var (
	registry  = os.Getenv("MILLRACE_REGISTRY")
	goodOrder = []byte("\x0a\x01a\x10\x07")
	badOrder  = []byte("\x0a\x01a\x12\x02zz")
)

const order = `syntax = "proto3"; package shop; message Order { string id = 1; int32 count = 2; }`

func schemaID() uint32 {
	body := got(json.Marshal(map[string]string{"schemaType": "PROTOBUF", "schema": order}))
	answer := got(http.Post(registry+"/subjects/orders/versions",
		"application/vnd.schemaregistry.v1+json", bytes.NewReader(body)))
	defer answer.Body.Close()
	var registered struct {
		ID uint32 `json:"id"`
	}
	if err := json.NewDecoder(answer.Body).Decode(&registered); err != nil {
		fail("registering: %v", err)
	}
	return registered.ID
}

// sendOrders sends one batch and returns what each record is told: an offset or an error's name.
func sendOrders(ctx context.Context, client *kgo.Client, topic string, payloads ...[]byte) string {
	records := make([]*kgo.Record, len(payloads))
	for at, payload := range payloads {
		frame := append(binary.BigEndian.AppendUint32([]byte{0}, schemaID()), 0)
		records[at] = &kgo.Record{Topic: topic, Value: append(frame, payload...)}
	}
	told := ""
	for _, one := range client.ProduceSync(ctx, records...) {
		word := ""
		if one.Err == nil {
			word = strconv.FormatInt(one.Record.Offset, 10)
		} else if known, ok := one.Err.(*kerr.Error); ok {
			word = known.Message
		} else {
			word = one.Err.Error()
		}
		told += word + " "
	}
	return told
}

func ordersGoOn(ctx context.Context, topic string, options ...kgo.Opt) {
	schemaID()
	value := func(text string) *string { return &text }
	got(admin.CreateTopic(ctx, 1, 1, map[string]*string{
		"millrace.value.contract": value("payload"), "millrace.value.subject": value("orders"),
	}, topic))
	client := got(kgo.NewClient(append(options, kgo.SeedBrokers(bootstrap),
		kgo.ProducerLinger(100*time.Millisecond))...))
	defer client.Close()
	const refused = "INVALID_RECORD "
	equal(sendOrders(ctx, client, topic, goodOrder), "0 ", "a good one")
	equal(sendOrders(ctx, client, topic, goodOrder, badOrder, goodOrder), refused+refused+refused,
		"one bad of three")
	equal(sendOrders(ctx, client, topic, goodOrder, goodOrder), "1 2 ", "the next")
	equal(sendOrders(ctx, client, topic, goodOrder), "3 ", "the last")
}

func checkContracts() {
	if registry == "" {
		return
	}
	check("contract-plain", func(ctx context.Context) {
		ordersGoOn(ctx, "contract-plain", kgo.DisableIdempotentWrite())
	})
	check("contract-idempotent", func(ctx context.Context) {
		ordersGoOn(ctx, "contract-idempotent")
	})
}
