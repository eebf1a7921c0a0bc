# C for our own Protobuf contracts, written by protoc-c at build time; lists it in PROTO_GENERATED.
# Only what the broker itself reads and writes is named here: examples are not compiled in.
find_program(PROTOC_C protoc-c REQUIRED)
set(PROTO_FOLDER ${CMAKE_BINARY_DIR}/generated/proto)
file(MAKE_DIRECTORY ${PROTO_FOLDER})
set(PROTO_GENERATED)
foreach(stem metadata)
  set(outputs ${PROTO_FOLDER}/${stem}.pb-c.h ${PROTO_FOLDER}/${stem}.pb-c.c)
  add_custom_command(
    OUTPUT ${outputs}
    COMMAND ${PROTOC_C} --proto_path=${CMAKE_SOURCE_DIR}/proto --c_out=${PROTO_FOLDER}
            ${CMAKE_SOURCE_DIR}/proto/${stem}.proto
    DEPENDS ${CMAKE_SOURCE_DIR}/proto/${stem}.proto
    COMMENT "proto/${stem}.proto"
    VERBATIM)
  list(APPEND PROTO_GENERATED ${outputs})
endforeach()
