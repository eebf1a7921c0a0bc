// libprotobuf's parser and linker behind registry/compile.h. C++ stays in this file.
//
// One pool per call, filled depth first: each file's imports before the file. The pool must be
// given the very FileDescriptorProto that the parser filled, because positions of errors are looked
// up by the addresses of its parts (SourceLocationTable).
#include "registry/compile_limits.h"

#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>

#include <map>
#include <memory>
#include <string>

#include "registry/known.h"

namespace pb = google::protobuf;
using ErrorPlace = pb::DescriptorPool::ErrorCollector;

namespace {

// The first error of a compilation wins: those behind it are mostly consequences.
class FirstError {
   public:
    explicit FirstError(struct error *error) : error_(error) {}
    bool failed() const { return failed_; }
    // Lines and columns count from 0 here, from 1 in the text; a negative line means unknown.
    void set(const std::string &file, int line, int column, const std::string &text) {
        if (failed_) return;
        failed_ = true;
        std::string place = file == SCHEMA_ROOT_NAME ? "" : file + ":";
        if (line >= 0) {
            place += std::to_string(line + 1) + ":" + std::to_string(column + 1) + ":";
        }
        shim_error(error_, (place + (place.empty() ? "" : " ") + text).c_str());
    }

   private:
    struct error *error_;
    bool failed_ = false;
};

class ParseErrors : public pb::io::ErrorCollector {
   public:
    ParseErrors(const std::string &file, FirstError *first) : file_(file), first_(first) {}
    void AddError(int line, pb::io::ColumnNumber column, const std::string &message) override {
        first_->set(file_, line, column, message);
    }

   private:
    const std::string &file_;
    FirstError *first_;
};

class LinkErrors : public pb::DescriptorPool::ErrorCollector {
   public:
    LinkErrors(const pb::compiler::SourceLocationTable &places, FirstError *first)
        : places_(places), first_(first) {}
    void AddError(const std::string &file, const std::string &element,
                  const pb::Message *descriptor, ErrorLocation location,
                  const std::string &message) override {
        int line = -1, column = 0;
        if (descriptor) places_.Find(descriptor, location, &line, &column);
        first_->set(file, line, column, line < 0 ? element + ": " + message : message);
    }

   private:
    const pb::compiler::SourceLocationTable &places_;
    FirstError *first_;
};

// Whether `holds` for every option that is not interpreted (yet).
bool options_all(const pb::Message &message, bool (*holds)(const pb::UninterpretedOption &)) {
    if (message.GetDescriptor() == pb::UninterpretedOption::descriptor())
        return holds(static_cast<const pb::UninterpretedOption &>(message));
    std::vector<const pb::FieldDescriptor *> fields;
    const pb::Reflection *reflection = message.GetReflection();
    reflection->ListFields(message, &fields);
    for (const pb::FieldDescriptor *field : fields) {
        if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
        int count = field->is_repeated() ? reflection->FieldSize(message, field) : 1;
        for (int i = 0; i < count; i++) {
            const pb::Message &part = field->is_repeated()
                                          ? reflection->GetRepeatedMessage(message, field, i)
                                          : reflection->GetMessage(message, field);
            if (!options_all(part, holds)) return false;
        }
    }
    return true;
}

// An aggregate value is text that the linker will parse.
bool option_is_flat(const pb::UninterpretedOption &option) {
    const std::string &value = option.aggregate_value();
    return shim_scan_aggregate(value.data(), value.size());
}

// Only custom options, in parentheses, may be unknown.
bool option_is_custom(const pb::UninterpretedOption &option) {
    return option.name_size() > 0 && option.name(0).is_extension();
}

class Compilation {
   public:
    Compilation(const struct shim_file *imports, size_t count, struct error *error)
        : first_(error) {
        pool_.AllowUnknownDependencies();
        for (size_t i = 0; i < count; i++)
            imports_[std::string(imports[i].name, imports[i].name_len)] = &imports[i];
    }

    bool run(const struct shim_file &root, void *owner) {
        const pb::FileDescriptor *file = add(SCHEMA_ROOT_NAME, root, 0);
        if (!file) return false;
        hand_over(owner, SHIM_PARSED, parsed_[SCHEMA_ROOT_NAME]->SerializeAsString());
        hand_over(owner, SHIM_LINKED, set_.SerializeAsString());
        return true;
    }

   private:
    static void hand_over(void *owner, enum shim_output which, const std::string &bytes) {
        shim_output(owner, which, bytes.data(), bytes.size());
    }

    bool fail(const std::string &file, const std::string &text) {
        first_.set(file, -1, 0, text);
        return false;
    }

    bool parse_text(const std::string &name, const struct shim_file &text,
                    pb::FileDescriptorProto *file, pb::compiler::SourceLocationTable *places) {
        char why[SHIM_TEXT_SIZE];
        if (!shim_scan_text(text.content, text.content_len, why)) return fail(name, why);
        pb::io::ArrayInputStream input(text.content, static_cast<int>(text.content_len));
        ParseErrors errors(name, &first_);
        pb::io::Tokenizer tokenizer(&input, &errors);
        pb::compiler::Parser parser;
        parser.RecordErrorsTo(&errors);
        parser.RecordSourceLocationsTo(places);
        bool parsed = parser.Parse(&tokenizer, file) && !first_.failed();
        file->clear_source_code_info();
        return parsed || fail(name, "not a valid .proto file");
    }

    bool parse_descriptor(const std::string &name, const struct shim_file &source,
                          pb::FileDescriptorProto *file) {
        if (source.content_len > SCHEMA_SIZE_MAX) return fail(name, "the descriptor is too large");
        if (!file->ParseFromArray(source.content, static_cast<int>(source.content_len)))
            return fail(name, "neither .proto text nor a file descriptor");
        if (!options_all(*file, option_is_flat))
            return fail(name, "an option's value nests too deep");
        file->clear_source_code_info();
        return true;
    }

    // Whoever registers an empty text gets an empty proto2 file from the parser.
    bool is_empty(const pb::FileDescriptorProto &file) {
        return !file.message_type_size() && !file.enum_type_size() && !file.extension_size() &&
               !file.service_size() && !file.dependency_size() && !file.has_package();
    }

    bool parse(const std::string &name, const struct shim_file &source,
               pb::FileDescriptorProto *file, pb::compiler::SourceLocationTable *places) {
        if (source.is_descriptor ? !parse_descriptor(name, source, file)
                                 : !parse_text(name, source, file, places))
            return false;
        if (file->syntax() == "editions" || file->unknown_fields().field_count())
            return fail(name, "editions are not supported; use proto2 or proto3");
        if (is_empty(*file)) return fail(name, "Empty schema");
        file->set_name(name);
        return true;
    }

    bool add_imports(const std::string &name, const pb::FileDescriptorProto &file, int depth) {
        if (depth >= SCHEMA_IMPORT_DEPTH_MAX) return fail(name, "imports nest too deep");
        for (const std::string &import : file.dependency()) {
            auto before = parsed_.find(import);
            if (before != parsed_.end()) {
                if (!pool_.FindFileByName(import)) return fail(name, "imports itself: " + import);
                continue;
            }
            if (!add_import(import, depth + 1)) return false;
        }
        return true;
    }

    // An import that is nowhere becomes a placeholder in the pool.
    bool add_import(const std::string &import, int depth) {
        auto given = imports_.find(import);
        if (given != imports_.end()) return add(import, *given->second, depth);
        for (size_t i = 0; i < known_file_count; i++) {
            if (import != known_files[i].name) continue;
            const struct known_file &file = known_files[i];
            struct shim_file known = {file.name, reinterpret_cast<const char *>(file.descriptor),
                                      import.size(), file.len, true};
            return add(import, known, depth);
        }
        return true;
    }

    const pb::FileDescriptor *add(const std::string &name, const struct shim_file &source,
                                  int depth) {
        pb::compiler::SourceLocationTable places;
        auto owned = std::make_unique<pb::FileDescriptorProto>();
        pb::FileDescriptorProto *file = owned.get();
        if (parsed_.size() >= SCHEMA_FILES_MAX) {
            fail(name, "too many imported files");
            return nullptr;
        }
        parsed_[name] = std::move(owned);
        if (!parse(name, source, file, &places) || !add_imports(name, *file, depth)) return nullptr;
        LinkErrors errors(places, &first_);
        const pb::FileDescriptor *linked = pool_.BuildFileCollectingErrors(*file, &errors);
        if (!linked || first_.failed()) {
            fail(name, "not a valid file");
            return nullptr;
        }
        pb::FileDescriptorProto *copy = set_.add_file();
        linked->CopyTo(copy);
        linked->CopyJsonNameTo(copy);
        places_ = &places;
        if (!types_are_known(name, *file, linked)) return nullptr;
        if (!options_all(*copy, option_is_custom)) {
            fail(name, "an option is not known");
            return nullptr;
        }
        return linked;
    }

    // What no file defines is a placeholder in the pool.
    bool unknown(const std::string &name, const pb::Message &part, ErrorPlace::ErrorLocation place,
                 const std::string &type) {
        int line = -1, column = 0;
        places_->Find(&part, place, &line, &column);
        first_.set(name, line, column, "\"" + type + "\" is not defined.");
        return false;
    }

    bool field_is_known(const std::string &name, const pb::FieldDescriptorProto &parsed,
                        const pb::FieldDescriptor *field) {
        bool is_enum = field->type() == pb::FieldDescriptor::TYPE_ENUM;
        const pb::FileDescriptor *file = is_enum                 ? field->enum_type()->file()
                                         : field->message_type() ? field->message_type()->file()
                                                                 : nullptr;
        if (file && file->is_placeholder())
            return unknown(name, parsed, ErrorPlace::TYPE, parsed.type_name());
        if (field->containing_type()->file()->is_placeholder())
            return unknown(name, parsed, ErrorPlace::EXTENDEE, parsed.extendee());
        return true;
    }

    bool fields_are_known(const std::string &name, const pb::DescriptorProto &parsed,
                          const pb::Descriptor *message) {
        for (int i = 0; i < message->field_count(); i++)
            if (!field_is_known(name, parsed.field(i), message->field(i))) return false;
        for (int i = 0; i < message->extension_count(); i++)
            if (!field_is_known(name, parsed.extension(i), message->extension(i))) return false;
        for (int i = 0; i < message->nested_type_count(); i++)
            if (!fields_are_known(name, parsed.nested_type(i), message->nested_type(i)))
                return false;
        return true;
    }

    bool methods_are_known(const std::string &name, const pb::ServiceDescriptorProto &parsed,
                           const pb::ServiceDescriptor *service) {
        for (int i = 0; i < service->method_count(); i++) {
            const pb::MethodDescriptorProto &method = parsed.method(i);
            if (service->method(i)->input_type()->file()->is_placeholder())
                return unknown(name, method, ErrorPlace::INPUT_TYPE, method.input_type());
            if (service->method(i)->output_type()->file()->is_placeholder())
                return unknown(name, method, ErrorPlace::OUTPUT_TYPE, method.output_type());
        }
        return true;
    }

    bool types_are_known(const std::string &name, const pb::FileDescriptorProto &parsed,
                         const pb::FileDescriptor *file) {
        for (int i = 0; i < file->extension_count(); i++)
            if (!field_is_known(name, parsed.extension(i), file->extension(i))) return false;
        for (int i = 0; i < file->message_type_count(); i++)
            if (!fields_are_known(name, parsed.message_type(i), file->message_type(i)))
                return false;
        for (int i = 0; i < file->service_count(); i++)
            if (!methods_are_known(name, parsed.service(i), file->service(i))) return false;
        return true;
    }

    const pb::compiler::SourceLocationTable *places_ = nullptr;  // of the file being checked
    FirstError first_;
    pb::DescriptorPool pool_;
    pb::FileDescriptorSet set_;
    std::map<std::string, const struct shim_file *> imports_;
    std::map<std::string, std::unique_ptr<pb::FileDescriptorProto>> parsed_;
};

}  // namespace

extern "C" bool shim_compile(const struct shim_file *root, const struct shim_file *imports,
                             size_t import_count, void *owner, struct error *error) {
    pb::LogSilencer quiet;
    shim_error(error, "the schema cannot be compiled");
    return Compilation(imports, import_count, error).run(*root, owner);
}
