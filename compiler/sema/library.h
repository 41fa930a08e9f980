// The standard library as it travels inside regc: sources, and which file defines which name. Filled in by
// the build.
#ifndef SEMA_LIBRARY_H
#define SEMA_LIBRARY_H
#include "../syntax/ast.h"

typedef struct LibraryFile {
  const char *name; // "stdlib/penalties/l2.reg"
  const char *text;
  int len;
} LibraryFile;
typedef struct LibraryName {
  const char *name;
  DefKind kind;
  int file; // index into library_files
} LibraryName;
extern const LibraryFile library_files[]; // ended by a NULL name
extern const LibraryName library_names[]; // likewise
extern const char library_page[];         // docs/library.md
#endif
