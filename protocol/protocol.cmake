# One .h and .c per message definition, written at build time; lists them in PROTOCOL_GENERATED.
file(GLOB PROTOCOL_MESSAGES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/protocol/messages/*.msg)
set(PROTOCOL_FOLDER ${CMAKE_BINARY_DIR}/generated/protocol)
set(PROTOCOL_GENERATED)
foreach(definition ${PROTOCOL_MESSAGES})
  get_filename_component(stem ${definition} NAME_WE)
  set(outputs ${PROTOCOL_FOLDER}/${stem}.h ${PROTOCOL_FOLDER}/${stem}.c)
  add_custom_command(
    OUTPUT ${outputs}
    COMMAND Python3::Interpreter ${CMAKE_SOURCE_DIR}/protocol/generate.py ${definition}
            ${PROTOCOL_FOLDER}
    DEPENDS ${definition} ${CMAKE_SOURCE_DIR}/protocol/generate.py
    COMMENT "protocol/messages/${stem}.msg"
    VERBATIM)
  list(APPEND PROTOCOL_GENERATED ${outputs})
endforeach()
