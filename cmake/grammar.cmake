# flex and bison; the generated C stays in the build folder.
find_package(FLEX REQUIRED)
find_package(BISON 3.8 REQUIRED)
set(REG_GRAMMAR_DIR ${CMAKE_BINARY_DIR}/grammar)
file(MAKE_DIRECTORY ${REG_GRAMMAR_DIR})
bison_target(reg_parser ${CMAKE_SOURCE_DIR}/grammar/reg.y ${REG_GRAMMAR_DIR}/reg.tab.c
  DEFINES_FILE ${REG_GRAMMAR_DIR}/reg.tab.h COMPILE_FLAGS "-Wall -Werror")
flex_target(reg_scanner ${CMAKE_SOURCE_DIR}/grammar/reg.l ${REG_GRAMMAR_DIR}/reg.lex.c
  DEFINES_FILE ${REG_GRAMMAR_DIR}/reg.lex.h)
add_flex_bison_dependency(reg_scanner reg_parser)
set(REG_GRAMMAR_C ${BISON_reg_parser_OUTPUT_SOURCE} ${FLEX_reg_scanner_OUTPUTS})
set(REG_GRAMMAR_INCLUDES ${REG_GRAMMAR_DIR} ${CMAKE_SOURCE_DIR}/grammar ${CMAKE_SOURCE_DIR}/compiler/syntax)
