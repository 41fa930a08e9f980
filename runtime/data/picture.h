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
int picture_decode(Picture *p, const char *path, const unsigned char *bytes, size_t size, reg_status *st);
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
#endif
