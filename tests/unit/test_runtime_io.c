// Files of arrays and weights: what is written is read back; damaged files are refused or read, and never
// crash.
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "reg/file.h"
#include "reg/npy.h"
#include "reg/rng.h"
#include "reg/safetensors.h"

static void name_file(char path[64], const char *suffix) {
  snprintf(path, 64, "/tmp/reg_test_%ld%s", (long)getpid(), suffix);
}

static size_t slurp(const char *path, char *bytes, size_t room) {
  FILE *f = fopen(path, "rb");
  cr_assert(f);
  size_t size = fread(bytes, 1, room, f);
  fclose(f);
  return size;
}

static void spill(const char *path, const void *bytes, size_t size) {
  FILE *f = fopen(path, "wb");
  cr_assert(f && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
}

// Some bytes replaced, and now and then the end cut off.
static size_t mutate(char *bytes, size_t size, uint32_t round) {
  uint32_t changes = 1 + reg_random_word(1, 0, round, 0) % 4;
  for (uint32_t i = 0; i < changes; i++) {
    uint32_t at = reg_random_word(1, 1, round, i), value = reg_random_word(1, 2, round, i);
    static const char likely[] = "0123456789[]{}\",:'()-FI";
    bytes[at % (i            ? size
                : size < 160 ? size
                             : 160)] = value & 256 ? likely[value % (sizeof likely - 1)] : (char)value;
  }
  return round % 5 ? size : reg_random_word(1, 3, round, 0) % (size + 1);
}

static void make_folder(char folder[64]) {
  strcpy(folder, "/tmp/reg_test_XXXXXX");
  cr_assert(mkdtemp(folder));
}

static void remove_folder(const char *folder) {
  char command[100];
  snprintf(command, sizeof command, "rm -r %s", folder);
  cr_assert_eq(system(command), 0);
}

Test(file, a_link_stays_and_permissions_stay) {
  char folder[64], target[80], link[80], text[16] = "";
  struct stat info;
  reg_status st;
  make_folder(folder);
  snprintf(target, sizeof target, "%s/target", folder);
  snprintf(link, sizeof link, "%s/link", folder);
  spill(target, "old", 3);
  cr_assert(chmod(target, 0640) == 0 && symlink("target", link) == 0);
  cr_assert_eq(reg_file_write(link, "new text", 8, &st), 0, "%s", st.text);
  cr_assert(lstat(link, &info) == 0 && S_ISLNK(info.st_mode));
  cr_assert(stat(target, &info) == 0 && (info.st_mode & 0777) == 0640 && info.st_size == 8);
  cr_assert_eq(slurp(target, text, sizeof text), 8);
  cr_assert_eq(reg_file_write(folder, "x", 1, &st), REG_CANNOT_WRITE);
  cr_assert_eq(reg_file_write("/dev/null", "x", 1, &st), 0, "%s", st.text);
  cr_assert_eq(reg_file_write("/dev/full", "x", 1, &st), REG_CANNOT_WRITE);
  cr_assert(stat("/dev/null", &info) == 0 && S_ISCHR(info.st_mode));
  size_t size;
  cr_assert_null(reg_file_read("/dev/zero", &size, "data_missing", &st));
  cr_assert(st.code == REG_BAD_DATA && !strcmp(st.name, "data_bad"), "%s", st.text);
  remove_folder(folder);
}

Test(file, names_may_be_as_long_as_names_are) {
  char folder[64], path[400];
  reg_status st;
  make_folder(folder);
  snprintf(path, sizeof path, "%s/%0255d", folder, 7);
  cr_assert_eq(reg_file_write(path, "x", 1, &st), 0, "%s", st.text);
  snprintf(path, sizeof path, "%s/%0256d", folder, 7);
  cr_assert_eq(reg_file_write(path, "x", 1, &st), REG_CANNOT_WRITE);
  remove_folder(folder);
}

Test(file, sweeping_leaves_what_is_being_written) {
  static const char *const names[] = {"a.0123456789abcdef.tmp", "b.0123456789abcdef.tmp", "a.tmp",
                                      "a.0123456789abcdeX.tmp", "a"};
  char folder[64], path[5][100];
  make_folder(folder);
  for (int i = 0; i < 5; i++) {
    snprintf(path[i], sizeof path[i], "%s/%s", folder, names[i]);
    spill(path[i], "x", 1);
  }
  int held = open(path[1], O_RDONLY);
  cr_assert(held >= 0 && flock(held, LOCK_EX) == 0);
  reg_file_sweep(folder);
  cr_assert(access(path[0], F_OK) != 0 && access(path[1], F_OK) == 0);
  for (int i = 2; i < 5; i++) cr_assert(access(path[i], F_OK) == 0, "%s", path[i]);
  close(held);
  remove_folder(folder);
}

Test(npy, round_trip) {
  char path[64];
  reg_status st;
  float f[6] = {1, -2.5f, 3e-40f, 4, 5, 6};
  int32_t b[3] = {1, 0, 1};
  reg_array a = {.dtype = REG_F32, .rank = 2, .dim = {2, 3}, .count = 6, .values = f}, got;
  name_file(path, ".npy");
  cr_assert_eq(reg_npy_write(path, &a, &st), 0);
  cr_assert_eq(reg_npy_read(path, &got, &st), 0, "%s", st.text);
  cr_assert(got.dtype == REG_F32 && got.rank == 2 && got.dim[0] == 2 && got.dim[1] == 3 &&
            !memcmp(got.values, f, sizeof f));
  free(got.values);
  a = (reg_array){.dtype = REG_BOOL, .rank = 1, .dim = {3}, .count = 3, .values = b};
  cr_assert_eq(reg_npy_write(path, &a, &st), 0);
  cr_assert_eq(reg_npy_read(path, &got, &st), 0, "%s", st.text);
  cr_assert(got.dtype == REG_BOOL && !memcmp(got.values, b, sizeof b));
  free(got.values);
  a = (reg_array){.dtype = REG_I32, .rank = 0, .count = 1, .values = b};
  cr_assert_eq(reg_npy_write(path, &a, &st), 0);
  cr_assert_eq(reg_npy_read(path, &got, &st), 0, "%s", st.text);
  cr_assert(got.dtype == REG_I32 && got.rank == 0 && got.count == 1 && *(int32_t *)got.values == 1);
  free(got.values);
  unlink(path);
}

static size_t fortran_file(char *out) {
  static const double columns[6] = {1, 4, 2, 5, 3, 6};
  memset(out, ' ', 128);
  memcpy(out, "\x93NUMPY\1\0\x76\0", 10);
  static const char header[] = "{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }";
  memcpy(out + 10, header, sizeof header - 1);
  out[127] = '\n';
  memcpy(out + 128, columns, sizeof columns);
  return 128 + sizeof columns;
}

Test(npy, fortran_order_and_doubles) {
  char path[64], bytes[256];
  reg_status st;
  reg_array got;
  name_file(path, ".npy");
  spill(path, bytes, fortran_file(bytes));
  cr_assert_eq(reg_npy_read(path, &got, &st), 0, "%s", st.text);
  for (int i = 0; i < 6; i++) cr_assert_eq(((float *)got.values)[i], (float)(i + 1));
  free(got.values);
  unlink(path);
  cr_assert_eq(reg_npy_read(path, &got, &st), REG_MISSING_INPUT);
}

Test(npy, what_does_not_fit_is_refused_with_its_place) {
  char path[64], bytes[256];
  reg_status st;
  reg_array got;
  double *numbers, huge = 1e39;
  const size_t whole = fortran_file(bytes);
  name_file(path, ".npy");
  memcpy(bytes + 128 + 3 * sizeof huge, &huge, sizeof huge); // row 1, column 1
  spill(path, bytes, whole);
  cr_assert_eq(reg_npy_read(path, &got, &st), REG_BAD_DATA);
  cr_assert(strstr(st.text, "element [1, 1] is too large for a 32-bit float"), "%s", st.text);
  cr_assert_eq(reg_npy_numbers(path, NULL, &got, &numbers, &st), 0);
  cr_assert(got.rank == 2 && got.dim[1] == 3 && numbers[1] == 2 && numbers[4] == 1e39);
  reg_npy_numbers_free(numbers);
  huge = INFINITY;
  memcpy(bytes + 128 + 3 * sizeof huge, &huge, sizeof huge);
  spill(path, bytes, whole);
  cr_assert_eq(reg_npy_read(path, &got, &st), 0);
  cr_assert(isinf(((float *)got.values)[4]));
  free(got.values);
  memcpy(strstr(bytes + 10, "(2, 3)"), "(0, 3)", 6);
  spill(path, bytes, 128);
  cr_assert_eq(reg_npy_read(path, &got, &st), 0);
  cr_assert(got.rank == 2 && got.dim[0] == 0 && got.dim[1] == 3 && got.count == 0);
  free(got.values);
  cr_assert_eq(reg_npy_numbers(path, NULL, &got, &numbers, &st), 0);
  reg_npy_numbers_free(numbers);
  got.values = NULL;
  cr_assert_eq(reg_npy_write(path, &got, &st), 0);
  cr_assert_eq(reg_npy_read(path, &got, &st), 0);
  cr_assert(got.rank == 2 && got.dim[1] == 3 && got.count == 0);
  free(got.values);
  static const char large[] = "'shape': (0, 2147483647, 2147483647), }";
  memcpy(strstr(bytes + 10, "'shape'"), large, sizeof large - 1);
  spill(path, bytes, 128);
  cr_assert_eq(reg_npy_read(path, &got, &st), REG_BAD_DATA);
  cr_assert(strstr(st.text, "the shape is too large"), "%s", st.text);
  unlink(path);
}

Test(npy, damaged_files_do_not_crash) {
  char path[64], original[256], bytes[256];
  int refused = 0;
  size_t whole = fortran_file(original);
  name_file(path, ".npy");
  for (uint32_t round = 0; round < 3000; round++) {
    reg_status st = {0};
    reg_array got;
    memcpy(bytes, original, whole);
    spill(path, bytes, mutate(bytes, whole, round));
    int code = reg_npy_read(path, &got, &st);
    cr_assert(code == 0 || (code == REG_BAD_DATA && st.text[0]));
    refused += code != 0;
    if (!code) free(got.values);
  }
  unlink(path);
  cr_assert(refused > 1000 && refused < 3000, "%d refused", refused);
}

static void write_weights(const char *path) {
  static const float w[6] = {1, 2, 3, 4, 5, 6}, b[2] = {-1, .5f};
  reg_status st;
  reg_saved_tensor tensors[3] = {{.name = "net.a.weight", .rank = 2, .dim = {2, 3}, .count = 6, .values = w},
                                 {.name = "net.a.bias", .rank = 1, .dim = {2}, .count = 2, .values = b},
                                 {.name = "net.none", .rank = 1, .dim = {0}, .count = 0, .values = b}};
  cr_assert_eq(reg_safetensors_write(path, 3, tensors, &st), 0, "%s", st.text);
}

Test(safetensors, doubles_beside_floats) {
  static const double w[2] = {0.1, -1e300};
  static const float b[3] = {1, 2, 3};
  const reg_saved_tensor tensors[2] = {
      {.name = "b", .rank = 1, .dim = {3}, .count = 3, .values = b},
      {.name = "w", .dtype = REG_F64, .rank = 1, .dim = {2}, .count = 2, .values = w}};
  char path[64];
  reg_status st;
  reg_saved got;
  name_file(path, ".safetensors");
  cr_assert_eq(reg_safetensors_write(path, 2, tensors, &st), 0, "%s", st.text);
  cr_assert_eq(reg_safetensors_read(path, &got, &st), 0, "%s", st.text);
  for (int i = 0; i < 2; i++) {
    const reg_saved_tensor *t = reg_saved_find(&got, tensors[i].name);
    cr_assert(t && t->dtype == tensors[i].dtype && t->count == tensors[i].count);
    cr_assert(memcmp(t->values, tensors[i].values, (size_t)t->count * reg_dtype_bytes(t->dtype)) == 0);
  }
  reg_saved_free(&got);
  unlink(path);
}

Test(safetensors, round_trip) {
  char path[64];
  reg_status st;
  reg_saved got;
  name_file(path, ".safetensors");
  write_weights(path);
  cr_assert_eq(reg_safetensors_read(path, &got, &st), 0, "%s", st.text);
  cr_assert_eq(got.count, 3);
  cr_assert_str_eq(got.tensors[0].name, "net.a.weight");
  cr_assert(got.tensors[0].rank == 2 && got.tensors[0].dim[1] == 3 &&
            ((const float *)got.tensors[0].values)[5] == 6);
  cr_assert(got.tensors[1].count == 2 && ((const float *)got.tensors[1].values)[0] == -1);
  reg_saved_free(&got);
  unlink(path);
  cr_assert_eq(reg_safetensors_write("/nowhere/at/all", 0, NULL, &st), REG_CANNOT_WRITE);
  cr_assert(strstr(st.text, "/nowhere/at/all") && strstr(st.text, "No such file"), "%s", st.text);
}

static void refuse(const char *path, const char *header, size_t data, const char *what) {
  char bytes[512] = {0};
  uint64_t size = strlen(header);
  reg_status st;
  reg_saved got;
  memcpy(bytes, &size, 8);
  memcpy(bytes + 8, header, size);
  spill(path, bytes, 8 + size + data);
  cr_assert_eq(reg_safetensors_read(path, &got, &st), REG_BAD_DATA, "%s", header);
  cr_assert(strstr(st.text, what), "%s: %s", header, st.text);
}

Test(safetensors, malformed_files_are_refused) {
  char path[64];
  name_file(path, ".safetensors");
  refuse(path, "[]", 0, "not a JSON object");
  refuse(path, "{\"a\":{}}", 0, "lacks");
  refuse(path, "{", 0, "not a JSON object");
  refuse(path, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}} x", 4, "not a JSON object");
  refuse(path, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "twice");
  refuse(path, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1.0],\"data_offsets\":[0,4]}}", 4, "integer");
  refuse(path, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}", 4,
         "more than 8");
  refuse(path, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4,4]}}", 4, "lacks");
  refuse(path,
         "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\"\\u0061\":{\"dtype\":\"F32\","
         "\"shape\":"
         "[0],\"data_offsets\":[0,0]}}",
         0, "twice");
  refuse(path, "{\"a\":{\"dtype\":\"F8\",\"shape\":[2],\"data_offsets\":[0,2]}}", 2, "type");
  refuse(path, "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "do not fit");
  refuse(path, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", 4, "outside");
  refuse(path, "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8, "behind the last");
  refuse(path, "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "dimension");
  refuse(path,
         "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":"
         "[1],\"data_offsets\":[0,4]}}",
         4, "overlap");
  refuse(path,
         "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"F32\",\"shape\":"
         "[1],\"data_offsets\":[8,12]}}",
         12, "gap");
  unlink(path);
}

Test(safetensors, damaged_files_do_not_crash) {
  char path[64], original[512], bytes[512];
  int refused = 0;
  name_file(path, ".safetensors");
  write_weights(path);
  size_t whole = slurp(path, original, sizeof original);
  for (uint32_t round = 0; round < 3000; round++) {
    reg_status st = {0};
    reg_saved got;
    memcpy(bytes, original, whole);
    spill(path, bytes, mutate(bytes, whole, round));
    int code = reg_safetensors_read(path, &got, &st);
    cr_assert(code == 0 || (code == REG_BAD_DATA && st.text[0]));
    refused += code != 0;
    reg_saved_free(&got);
  }
  unlink(path);
  cr_assert(refused > 1000 && refused < 3000, "%d refused", refused);
}
