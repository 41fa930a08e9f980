// The system's linker, through `cc`: objects and the runtime become an executable or one object.
#ifndef DRIVER_LINK_H
#define DRIVER_LINK_H
#include "driver.h"

typedef struct Link {
  const Options *options;
  Arena *arena;
  VEC(const char *) objects;
  const char *folder;       // of the objects: temporary, removed by link_end
  size_t bytes;             // of the objects
  const volatile int *stop; // set where the command shall end
} Link;

// Makes the folder. EXIT_OK, or an exit code after a message; so do the others.
int link_begin(Link *l, Arena *a, const Options *o, const volatile int *stop);
int link_object(Link *l, const char *bytes, size_t size);
// A standalone executable. It appears whole or not at all.
// images: it reads these, through libraries that others do without.
int link_executable(Link *l, const char *path, bool is_static, bool images);
// One object of all of them, in which the named symbols are local.
int link_relocatable(Link *l, const char *path, const char *const *local, int nlocal);
void link_end(Link *l);
// Where the runtime's libraries lie: beside regc in a build folder, in ../lib/reg of an installation; NULL.
const char *link_libraries(Arena *a);
#endif
