// Data: the CSV reader and each of its errors, classes, standardization, splitting; number texts.
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "reg/data.h"
#include "reg/rng.h"

static char path[64];

static void write_file(const char *text, size_t size) {
  snprintf(path, sizeof path, "/tmp/reg_test_%ld.csv", (long)getpid());
  FILE *f = fopen(path, "wb");
  cr_assert(f && fwrite(text, 1, size, f) == size && fclose(f) == 0);
}

static reg_dataset *load(const char *text, const char *target, const reg_data_op *more, int count,
                         reg_status *st) {
  reg_data_op ops[5] = {{.kind = REG_DATA_CSV, .path = path, .target = target}};
  write_file(text, strlen(text));
  for (int i = 0; i < count; i++) ops[i + 1] = more[i];
  reg_dataset *d = reg_data_load(&(reg_data_plan){count + 1, ops}, st);
  unlink(path);
  return d;
}

typedef struct Wrong {
  const char *text, *name, *where, *what;
} Wrong;

Test(csv, each_mistake_has_its_place) {
  static const Wrong wrong[] = {
      {"", "data_bad", ":1:1:", "empty"},
      {"a,b,y\n", "data_bad", "", "no rows"},
      {"a,b,y\n1,2,3\n4,5\n", "data_bad", ":3:3:", "2 fields, the header has 3"},
      {"a,b,y\n1,2,3,4\n", "data_bad", ":2:4:", "more fields"},
      {"a,b,y\n1,,3\n", "data_bad", ":2:2:", "empty field in column `b`"},
      {"a,b,y\n1,2,3\n1,two,3\n", "data_bad", ":3:2:", "text `two` in the number column `b`"},
      {"a,b,y\n1,nan,3\n", "data_bad", ":2:2:", "not a finite number"},
      {"a,b,y\n-Inf,1,3\n", "data_bad", ":2:1:", "not a finite number"},
      {"a,b,y\n1e39,1,3\n", "data_bad", ":2:1:", "too large"},
      {"a,a,y\n1,2,3\n", "data_bad", ":1:2:", "twice in the header"},
      {"a,,y\n1,2,3\n", "data_bad", ":1:2:", "no name"},
      {"a,b,z\n1,2,3\n", "target_missing", "", "no column `y`"},
      {"a;b;y\n1;2;3\n", "target_missing", "", "no column `y`"},
      {"y\n1\n", "data_bad", ":1:1:", "only column"},
      {"1,2,3\n4,5,6\n", "data_bad", ":1:1:", "no header"},
      {"a,b,y\n1,2,3\n1,2,x\n", "data_bad", ":3:3:", "text `x` in the number column `y`"},
      {"a,b,y\n1,2,\"3\n", "data_bad", ":2:3:", "not closed"},
      {"a,b,y\n1,2\"5,3\n", "data_bad", ":2:2:", "misplaced quote"},
      {"a,b,y\n\"1\n\",2,3\n", "data_bad", ":2:1:", "text"},
      {"a,b,y\n1,2,\"x\ny\"\n1,oh,z\n", "data_bad", ":4:2:", "text `oh`"},
      {"\xff\xfe"
       "a",
       "data_bad", ":1:1:", "UTF-16"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    reg_status st;
    reg_dataset *d = load(wrong[i].text, "y", NULL, 0, &st);
    cr_assert_null(d, "%s", wrong[i].text);
    cr_assert_eq(st.code, REG_BAD_DATA);
    cr_assert_str_eq(st.name, wrong[i].name, "%s: %s", wrong[i].text, st.text);
    cr_assert(strstr(st.text, wrong[i].where) && strstr(st.text, wrong[i].what), "%s -> %s", wrong[i].text,
              st.text);
  }
}

Test(csv, missing_file) {
  reg_status st;
  reg_data_op op = {.kind = REG_DATA_CSV, .path = "/nowhere/at/all.csv"};
  cr_assert_null(reg_data_load(&(reg_data_plan){1, &op}, &st));
  cr_assert_eq(st.code, REG_MISSING_INPUT);
  cr_assert_str_eq(st.name, "data_missing");
  op.path = "/tmp";
  cr_assert_null(reg_data_load(&(reg_data_plan){1, &op}, &st));
  cr_assert_eq(st.code, REG_MISSING_INPUT);
}

Test(csv, bom_crlf_quotes_blank_lines_no_last_newline) {
  reg_status st;
  reg_dataset *d =
      load("\xef\xbb\xbf\"a\",y,b\r\n 1.5 ,\"red, \"\"dark\"\"\",-2e1\r\n\r\n0x,", "y", NULL, 0, &st);
  cr_assert_null(d);
  cr_assert(strstr(st.text, ":4:1:"), "%s", st.text);
  d = load("\xef\xbb\xbf\"a\",y,b\r\n 1.5 ,\"red, \"\"dark\"\"\",-2e1\r\n\r\n.25,blue,3", "y", NULL, 0, &st);
  cr_assert(d, "%s", st.text);
  cr_assert(d->nrows == 2 && d->nfields == 3);
  const float *x = d->fields[0].values;
  cr_assert(d->fields[0].width == 2 && x[0] == 1.5f && x[1] == -20 && x[2] == .25f && x[3] == 3);
  const reg_field *y = &d->fields[reg_data_field(d, "y")];
  cr_assert(y->dtype == REG_I32 && !y->values && y->nclasses == 2);
  cr_assert_str_eq(y->class_names[0], "blue");
  cr_assert_str_eq(y->class_names[1], "red, \"dark\"");
  cr_assert(y->classes[0] == 1 && y->classes[1] == 0);
  cr_assert_eq(((int32_t *)d->fields[reg_data_field(d, "id")].values)[1], 1);
  cr_assert_str_eq(d->parts[0].name, "all");
  reg_data_free(d);
}

Test(csv, damaged_files_do_not_crash) {
  static const char whole[] = "a,y,b\r\n1.5,\"red, \"\"dark\"\"\",-2e1\r\n\r\n.25,blue,3\n7,\"x\ny\",1e-3\n";
  static const char likely[] = "\"\"\n\r,,0e-.\t";
  int read = 0;
  for (uint32_t round = 0; round < 3000; round++) {
    char text[sizeof whole];
    reg_status st;
    memcpy(text, whole, sizeof whole);
    for (uint32_t i = 0; i <= round % 3; i++) {
      uint32_t at = reg_random_word(2, 0, round, i), value = reg_random_word(2, 1, round, i);
      text[at % (sizeof whole - 1)] = value & 256 ? likely[value % (sizeof likely - 1)] : (char)value;
    }
    reg_data_op op = {.kind = REG_DATA_CSV, .path = path, .target = "y"};
    write_file(text, sizeof whole - 1);
    reg_dataset *d = reg_data_load(&(reg_data_plan){1, &op}, &st);
    cr_assert(d || (st.code == REG_BAD_DATA && st.text[0]));
    read += d != NULL;
    reg_data_free(d);
  }
  unlink(path);
  cr_assert(read > 100 && read < 2900, "%d read", read);
}

Test(csv, numbers_are_those_of_strtod) {
  static const char *const texts[] = {"0",
                                      "-0",
                                      "1.",
                                      ".5",
                                      "1e22",
                                      "1e-22",
                                      "123456789012345678901234567890",
                                      "3.4e38",
                                      "1e-45",
                                      "+7.25",
                                      "0.1000000000000000055511151231257827",
                                      "9007199254740993",
                                      "1e-400",
                                      "2.5E+3"};
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
    char text[128];
    reg_status st;
    snprintf(text, sizeof text, "a,y\n%s,1\n", texts[i]);
    reg_dataset *d = load(text, "y", NULL, 0, &st);
    cr_assert(d, "%s: %s", texts[i], st.text);
    cr_assert_eq(((float *)d->fields[0].values)[0], (float)strtod(texts[i], NULL), "%s", texts[i]);
    reg_data_free(d);
  }
  static const char *const bad[] = {"1e", "1e+", "--1", "1.2.3", "0x10", "e5", ".", "-", "1 2"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    char text[64];
    reg_status st;
    snprintf(text, sizeof text, "a,y\n%s,1\n", bad[i]);
    cr_assert_null(load(text, "y", NULL, 0, &st), "%s", bad[i]);
  }
}

static reg_dataset *digits(const reg_data_op *more, int count, reg_status *st) {
  reg_data_op ops[5] = {
      {.kind = REG_DATA_CSV, .path = SOURCE_DIR "/examples/data/digits.csv", .target = "label"}};
  for (int i = 0; i < count; i++) ops[i + 1] = more[i];
  return reg_data_load(&(reg_data_plan){count + 1, ops}, st);
}

static reg_data_op split_op(void) {
  return (reg_data_op){.kind = REG_DATA_SPLIT,
                       .nparts = 3,
                       .part_names = {"train", "valid", "test"},
                       .fractions = {.7, .15, .15},
                       .stratify = "label",
                       .seed = 1};
}

Test(split, stratified_digits) {
  reg_status st;
  reg_data_op ops[2] = {{.kind = REG_DATA_SCALE, .factor = 1.0 / 16}, split_op()};
  reg_dataset *d = digits(ops, 2, &st);
  cr_assert(d, "%s", st.text);
  const reg_field *label = &d->fields[1];
  cr_assert(d->nrows == 1797 && d->fields[0].width == 64 && label->nclasses == 10 && label->values);
  cr_assert_str_eq(label->class_names[7], "7");
  cr_assert(d->parts[0].nrows == 1258 && d->parts[1].nrows + d->parts[2].nrows == 539);
  cr_assert(llabs(d->parts[1].nrows - d->parts[2].nrows) == 1);
  static int seen[1797];
  double of_class[10] = {0};
  for (int64_t i = 0; i < d->nrows; i++) of_class[label->classes[i]]++;
  for (int p = 0; p < 3; p++) {
    int count[10] = {0};
    for (int64_t i = 0; i < d->parts[p].nrows; i++) {
      seen[d->parts[p].rows[i]]++;
      count[label->classes[d->parts[p].rows[i]]]++;
      cr_assert(i == 0 || d->parts[p].rows[i - 1] < d->parts[p].rows[i]);
    }
    for (int c = 0; c < 10; c++)
      cr_assert(fabs(count[c] - of_class[c] * ops[1].fractions[p]) < 1.0 + 1e-6, "class %d part %d", c, p);
  }
  for (int i = 0; i < 1797; i++) cr_assert_eq(seen[i], 1);
  for (int64_t i = 0; i < 1797 * 64; i++) {
    float v = ((float *)d->fields[0].values)[i];
    cr_assert(v >= 0 && v <= 1 && v * 16 == floorf(v * 16));
  }
  reg_dataset *again = digits(ops, 2, &st);
  cr_assert_eq(memcmp(again->parts[2].rows, d->parts[2].rows, (size_t)d->parts[2].nrows * 8), 0);
  ops[1].seed = 2;
  reg_dataset *other = digits(ops, 2, &st);
  cr_assert_neq(memcmp(other->parts[2].rows, d->parts[2].rows, (size_t)d->parts[2].nrows * 8), 0);
  cr_assert_str_eq(again->checksum, d->checksum);
  reg_data_free(other);
  reg_data_free(again);
  reg_data_free(d);
}

Test(split, mistakes) {
  reg_status st;
  reg_data_op op = split_op();
  op.fractions[2] = .2;
  cr_assert_null(digits(&op, 1, &st));
  cr_assert(!strcmp(st.name, "split_bad") && strstr(st.text, "105 %"), "%s", st.text);
  op = split_op();
  op.fractions[0] = .85, op.fractions[2] = 0;
  cr_assert_null(digits(&op, 1, &st));
  cr_assert(strstr(st.text, "`test`"), "%s", st.text);
  op = split_op();
  op.stratify = "x";
  cr_assert_null(digits(&op, 1, &st));
  cr_assert(strstr(st.text, "no classes"), "%s", st.text);
  op.stratify = "nothing";
  cr_assert_null(digits(&op, 1, &st));
  cr_assert(strstr(st.text, "no such field"), "%s", st.text);
  op = split_op();
  op.stratify = "y";
  cr_assert_null(load("a,y\n1,u\n2,u\n3,u\n4,u\n5,u\n6,u\n7,u\n8,v\n", "y", &op, 1, &st));
  cr_assert(!strcmp(st.name, "split_bad") && strstr(st.text, "class `v`"), "%s", st.text);
  op.stratify = NULL;
  cr_assert_null(load("a,y\n1,u\n2,v\n", "y", &op, 1, &st));
  cr_assert(strstr(st.text, "would be empty"), "%s", st.text);
}

Test(standardize, learns_from_the_training_part_only) {
  for (int order = 0; order < 2; order++) {
    reg_status st;
    reg_data_op split = {.kind = REG_DATA_SPLIT,
                         .nparts = 2,
                         .part_names = {"train", "test"},
                         .fractions = {.8, .2},
                         .seed = 1};
    reg_data_op standardize = {.kind = REG_DATA_STANDARDIZE};
    reg_data_op ops[3] = {
        {.kind = REG_DATA_CSV, .path = SOURCE_DIR "/examples/data/diabetes.csv", .target = "progression"}};
    ops[1 + order] = split, ops[2 - order] = standardize;
    reg_dataset *d = reg_data_load(&(reg_data_plan){3, ops}, &st);
    cr_assert(d, "%s", st.text);
    const reg_part *train = reg_data_part(d, "train");
    const float *x = d->fields[0].values;
    for (int j = 0; j < 10; j++) {
      double sum = 0, squares = 0;
      for (int64_t i = 0; i < train->nrows; i++)
        sum += x[train->rows[i] * 10 + j], squares += pow(x[train->rows[i] * 10 + j], 2);
      cr_assert(fabs(sum / train->nrows) < 1e-6 && fabs(squares / train->nrows - 1) < 1e-5);
    }
    cr_assert(d->fields[1].values && d->fields[1].classes, "an integer target has both representations");
    reg_data_free(d);
  }
}

Test(standardize, constant_column) {
  reg_status st;
  reg_data_op op = {.kind = REG_DATA_STANDARDIZE};
  reg_dataset *d = load("a,b,y\n0.1,1,1\n0.1,2,2\n0.1,3,1\n", "y", &op, 1, &st);
  cr_assert(d, "%s", st.text);
  const float *x = d->fields[0].values;
  cr_assert(x[0] == 0 && x[2] == 0 && x[4] == 0 && x[1] == -x[5] && x[3] == 0 && d->factor[0] == 1);
  reg_data_free(d);
}
