# The embedded .proto files (registry/known.h): compiled to descriptors and written as a C table.
find_path(PROTOBUF_INCLUDE google/protobuf/descriptor.proto REQUIRED)
find_path(PROTOBUF_PARSER google/protobuf/compiler/parser.h REQUIRED)
file(GLOB_RECURSE KNOWN_PROTOS CONFIGURE_DEPENDS RELATIVE ${CMAKE_SOURCE_DIR}/registry/known
     ${CMAKE_SOURCE_DIR}/registry/known/*.proto)
foreach(stem any api descriptor duration empty field_mask source_context struct timestamp type
        wrappers)
  list(APPEND KNOWN_PROTOS google/protobuf/${stem}.proto)
endforeach()
set(KNOWN_FOLDER ${CMAKE_BINARY_DIR}/generated/registry)
file(MAKE_DIRECTORY ${KNOWN_FOLDER})
list(TRANSFORM KNOWN_PROTOS PREPEND ${CMAKE_SOURCE_DIR}/registry/known/ OUTPUT_VARIABLE known_paths)
list(FILTER known_paths EXCLUDE REGEX "/known/google/protobuf/")
add_custom_command(
  OUTPUT ${KNOWN_FOLDER}/known.c
  COMMAND ${PROTOC_C} --proto_path=${CMAKE_SOURCE_DIR}/registry/known --proto_path=${PROTOBUF_INCLUDE}
          --descriptor_set_out=${KNOWN_FOLDER}/known.set ${KNOWN_PROTOS}
  COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/registry/known.py ${KNOWN_FOLDER}/known.set
          ${KNOWN_FOLDER}/known.c
  DEPENDS ${known_paths} ${CMAKE_SOURCE_DIR}/registry/known.py
  COMMENT "registry/known"
  VERBATIM)
set(REGISTRY_GENERATED ${KNOWN_FOLDER}/known.c)
