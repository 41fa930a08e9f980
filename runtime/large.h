// Arrays that may be larger than memory. A small one is memory like any other; one of more than a sixteenth
// of what the process may have, or of a 256th where all of them have a quarter, is a file that has no name,
// mapped: what of it is not being used the kernel may write to the disk. It is in $TMPDIR, or else in the
// working folder, where runs are, or in /var/tmp, and ends with the array or the process.
#ifndef REG_LARGE_H
#define REG_LARGE_H
#include "text/text.h"
#include <stdbool.h>
#include <stddef.h>

// As realloc: NULL is no array yet, or no memory, and then the old one stays. Starts at a multiple of 16
// bytes.
void *reg_large_resize(void *at, size_t bytes);
void reg_large_free(void *at); // or NULL
// The bytes from which on an array is a file in any case.
size_t reg_large_least(void);
bool reg_large_is_file(size_t bytes); // whether one of so many would be now
// What stands in it is no longer needed: as far as it is a file, and the disk's kind of files lets, it is
// zeros again, which are not read from the disk before they are written over.
void reg_large_forget(void *at);
// For text that grows with the rows of a table.
extern const TextMemory reg_large_text;
// Whether a file could not be made, or not become larger. Then what is as much as all memory is not to be
// had.
bool reg_large_lacks_disk(void);
// A file of zeros in front of others of a list, which starts with NULL and is freed as a whole; at a multiple
// of 64 bytes. NULL: none can be made.
void *reg_large_add(void **list, size_t bytes);
void reg_large_free_list(void *list);
#endif
