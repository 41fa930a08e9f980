// C declarations of a table of structures, TABLE, whose rows are members:
//
//   STRUCT(name) ... END(name)      the structure `name` and its members, in their order
//   VALUE(type, member)             a number, a truth value, a choice
//   VALUES(type, member, n)         n of them, inside the structure
//   TEXT(member)                    a text, or NULL
//   TEXTS(member, count)            as many texts as the member `count` says
//   TEXTS_INSIDE(member, n, count)  likewise, of at most n, inside the structure
//   LIST(type, member, count)       structures of a table
//   CHANGING(type, member, count)   likewise; the runtime changes them
//   NUMBERS(type, member, count)    values
//   BYTES(member, bytes)            so many bytes, or NULL; `x` is the structure
//   FUNCTION(member)                a reg_function, or NULL
//   CODE(type, member)              the address of its code
//   ROOM(type, member, count)       pointers that a program that runs fills in
//   PROCESS(type, member)           what only this process has; NULL in a binary
//
// The image of a program in a binary (compiler/driver/program_image.c) is made from the same rows.
#define STRUCT(name)                                                                                         \
  typedef struct name name;                                                                                  \
  struct name {
#define VALUE(type, member)            type member;
#define VALUES(type, member, n)        type member[n];
#define TEXT(member)                   const char *member;
#define TEXTS(member, count)           const char *const *member;
#define TEXTS_INSIDE(member, n, count) const char *member[n];
#define LIST(type, member, count)      const struct type *member;
#define CHANGING(type, member, count)  struct type *member;
#define NUMBERS(type, member, count)   const type *member;
#define BYTES(member, bytes)           const void *member;
#define FUNCTION(member)               struct reg_function *member;
#define CODE(type, member)             type member;
#define ROOM(type, member, count)      type *member;
#define PROCESS(type, member)          type member;
#define END(name)                                                                                            \
  }                                                                                                          \
  ;
#include TABLE
#include "structures_end.h"
