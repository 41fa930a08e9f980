// A program table as an image: what a standalone binary walks, and what a model for embedding is.
#ifndef DRIVER_PROGRAM_IMAGE_H
#define DRIVER_PROGRAM_IMAGE_H
#include "image.h"
#include "reg/binary.h"

// The name under which the code of f is linked; NULL where f is left out.
typedef const char *(*SymbolOf)(void *user, const reg_function *f);

// A reg_binary at offset 0. Data sets keep what they were compiled for, not their rows.
void image_binary(Image *m, const reg_binary *b, SymbolOf symbol, void *user);
bool program_reads_images(const reg_program *p);
// A reg_model at offset 0, with its weights.
void image_model(Image *m, const reg_model *model, SymbolOf symbol, void *user);
#endif
