// Pictures: files of PNG and JPEG to bytes, bytes to another size, folders of them to tables.
#ifndef REG_PICTURE_H
#define REG_PICTURE_H
#include "data/table.h"

enum {
  PICTURE_CHANNELS = 3, // red, green, blue
  PICTURE_LONGEST_SIDE =
      65536, // beyond these a picture is refused by its header, before there is room for it
  PICTURE_MOST_PIXELS = 1 << 26
};

// height x width x PICTURE_CHANNELS, rows from the top.
typedef struct Picture {
  unsigned char *pixels;
  int64_t height, width;
} Picture;

// `bytes`: those of a file. What is transparent is as opaque, 16 bits are the upper 8 of them. A file that is
// damaged or cut short, that goes beyond the limits, or is neither PNG nor JPEG: REG_BAD_DATA, with `path`.
// `look`: at its header alone; there are no pixels.
int picture_decode(Picture *p, const char *path, const unsigned char *bytes, size_t size, bool look,
                   reg_status *st);
void picture_free(Picture *p);

// height x width x channels whole numbers 0..255; of one channel the brightness of BT.601, (19595 r + 38470 g
// + 7471 b) / 65536, rounded. Of another size than the picture's: each place of the result is a mean of the
// picture, weighed by a triangle around it whose half width is the distance of two places of the result or of
// the picture, whichever is larger: linear between places where it grows, a mean over what a place covers
// where it shrinks. Computed in double, rounded once. false: no memory.
bool picture_numbers(const Picture *p, int64_t height, int64_t width, int channels, double *to);

// The pictures beneath a folder, in the order of the bytes of their names.
typedef struct PictureFile {
  char *path, *name; // name: behind the folder's path
  int64_t group;     // of the folder in the folder that it lies in; 0 where it lies in that itself
} PictureFile;
typedef struct PictureFiles {
  PictureFile *files;
  int64_t count, room;
  char **groups; // names of these folders; none: all lie in the folder itself
  int64_t ngroups;
  Heap heap; // owns the texts
} PictureFiles;

// Names that begin with a dot are passed over, links are followed. A folder without pictures, pictures beside
// folders, folders within folders of themselves, names that are no UTF-8 and files that are neither folders
// nor regular are errors. `flat`: folders do not matter, and a path of one file is that file.
int picture_list(PictureFiles *f, const char *path, bool flat, reg_status *st);
void picture_list_free(PictureFiles *f);

// What rows of pictures are made from: files of one size, or resized to it.
typedef struct PictureForm {
  int64_t height, width; // of rows
  int channels;
  bool resize; // others become that large; else they are refused
} PictureForm;

// A picture's file read, its name's sum and that of its bytes. `look`: see picture_decode; `to`: its numbers
// in a row, which is told where it has another size.
int picture_read(Picture *p, const PictureFile *f, bool look, uint64_t sums[2], reg_status *st);
int picture_fits(const Picture *p, const PictureFile *f, const PictureForm *form, reg_status *st);

// Rows that are decoded when they are needed, or ahead of that by threads; a row is decoded once, and kept in
// a byte for each number: what is more than memory is a file, see large.h. NULL: no memory.
reg_supply *pictures_later(const PictureForm *form);
// Rows of these files behind those that it has, all before it begins. Their sums: a file that has changed
// since is told. *files and *sums are its own from then on; false: no memory, and they are not.
bool pictures_add(reg_supply *s, PictureFiles *files, uint64_t (**sums)[2]);
#endif
