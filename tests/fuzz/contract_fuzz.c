/* The checker against libprotobuf's dynamic parser. What the parser refuses, the checker has to
 * refuse. What the parser takes, the checker may refuse only for the reasons that
 * registry/contract.h lists: a known field with another wire type, a value that a closed enum does
 * not have, a required field in each occurrence of its message; and it is stricter about varints
 * (bits past the 64th, tags past 32 bits), which libprotobuf cuts off silently.
 *
 * The first byte chooses the message; the framing is fuzzed along. */
#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/memory.h"
#include "registry/compile.h"
#include "registry/contract.h"
#include "registry/descriptor.h"
#include "registry/framing.h"
#include "tests/fuzz/oracle.h"

static const char *const texts[] = {
    "syntax = \"proto3\"; message A { int32 a = 1; sint64 b = 2; bool c = 3; fixed32 d = 4;\n"
    "double e = 5; string f = 6; bytes g = 7; E h = 8; repeated int64 i = 9; repeated fixed64 j = "
    "10;\n"
    "repeated E k = 11; A l = 12; repeated A m = 13; map<string, A> n = 14; map<int32, E> o = 15;\n"
    "oneof p { string q = 16; A r = 17; } repeated string s = 100; int32 t = 536870911; }\n"
    "enum E { X = 0; Y = 5; }",
    "message A { required int32 a = 1; optional B b = 2; repeated B c = 3; optional E d = 4;\n"
    "repeated E e = 5 [packed = true]; optional group G = 6 { required int32 x = 1; optional A y = "
    "2; }\n"
    "map<int32, B> h = 7; optional string i = 8; extensions 100 to 200; repeated float j = 9; }\n"
    "message B { required int32 a = 1; optional A b = 2; repeated uint32 c = 3 [packed = true]; }\n"
    "enum E { X = 0; Y = 100; Z = -1; } extend A { optional A k = 100; }",
};

enum { SCHEMAS = sizeof texts / sizeof *texts };

struct subject {
    struct contract *contract;
    struct oracle *oracle;
    uint32_t message;
};

static void subject_init(struct subject *subject, const char *text) {
    struct schema_file file = {.content = bytes_of_text(text)};
    struct schema_compiled compiled;
    struct descriptor_set set;
    struct arena arena;
    struct error error;
    arena_init(&arena, 16 << 20);
    check(schema_compile(&file, NULL, 0, &compiled, &error));
    check(descriptor_set_read(byte_buffer_bytes(&compiled.linked), &arena, &set, &error));
    subject->contract = contract_new(&set, &error);
    subject->oracle = oracle_new(compiled.linked.at, compiled.linked.len, "A");
    check(subject->contract && subject->oracle);
    check(contract_find(subject->contract, BYTES_OF("A"), &subject->message));
    arena_deinit(&arena);
    schema_compiled_deinit(&compiled);
}

static bool is_intended(const struct violation *violation) {
    static const char *const reasons[] = {"expected ",
                                          "its enum has no value",
                                          "required, but",
                                          "varint cut off or too long",
                                          "a packed element is cut",
                                          "no valid field begins"};
    for (size_t i = 0; i < array_count(reasons); i++) {
        if (strstr(violation->reason, reasons[i])) return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct subject subjects[SCHEMAS];
    struct violation violation = {0};
    struct framed framed;
    const char *problem;
    if (!subjects[0].contract) {
        for (size_t i = 0; i < SCHEMAS; i++) subject_init(&subjects[i], texts[i]);
    }
    if (size == 0) return 0;
    struct subject *subject = &subjects[data[0] % SCHEMAS];
    struct bytes payload = bytes_make(data + 1, size - 1);
    bool accepted = contract_check(subject->contract, subject->message, payload, false, &violation);
    bool oracle = oracle_accepts(subject->oracle, payload.at, payload.len);
    if (accepted != oracle && (accepted || !is_intended(&violation))) {
        fprintf(stderr, "checker: %s, libprotobuf: %s; %s: %s\n", accepted ? "valid" : "invalid",
                oracle ? "valid" : "invalid", violation.path, violation.reason);
        abort();
    }
    if (contract_check(subject->contract, subject->message, payload, true, &violation))
        check(accepted);
    if (framing_read_prefix(payload, &framed, &problem)) {
        uint32_t found[CONTRACT_PATHS_MAX];
        check(framed.path_length <= FRAMING_PATH_MAX && framed.payload.len < payload.len);
        contract_resolve(subject->contract, framed.path, framed.path_length, found);
    }
    return 0;
}
