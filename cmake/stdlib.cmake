# Every stdlib/**/*.reg, embedded: files are found, not listed. And the library's page, for its examples.
file(GLOB_RECURSE REG_STDLIB_FILES CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/stdlib/*.reg)
set(REG_STDLIB_C ${CMAKE_BINARY_DIR}/stdlib_data.c)
add_custom_command(OUTPUT ${REG_STDLIB_C}
  COMMAND ${CMAKE_COMMAND} "-DFILES=${REG_STDLIB_FILES}" -DROOT=${CMAKE_SOURCE_DIR} -DPAGE=${CMAKE_SOURCE_DIR}/docs/library.md -DOUT=${REG_STDLIB_C} -P ${CMAKE_SOURCE_DIR}/cmake/embed_stdlib.cmake
  DEPENDS ${REG_STDLIB_FILES} ${CMAKE_SOURCE_DIR}/docs/library.md ${CMAKE_SOURCE_DIR}/cmake/embed_stdlib.cmake VERBATIM)
