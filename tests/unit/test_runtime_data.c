// Data: the CSV reader and each of its errors, classes, standardization, splitting; number texts.
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "data/table.h"
#include "reg/data.h"
#include "reg/rng.h"
#include "text/text.h"

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

Test(csv, doubles_keep_their_digits) {
  const char *text = "a,y\n1e39,0.1\n-1e-300,1e308\n";
  const reg_data_op op = {.kind = REG_DATA_CSV, .path = path, .target = "y"};
  reg_status st;
  write_file(text, strlen(text));
  reg_dataset *d = reg_data_load(&(reg_data_plan){.nops = 1, .ops = &op, .dtype = REG_F64}, &st);
  cr_assert(d, "%s", st.text);
  const double *x = d->fields[0].values, *y = d->fields[1].values;
  cr_assert(d->fields[0].dtype == REG_F64 && x[0] == 1e39 && x[1] == -1e-300);
  cr_assert(d->fields[1].dtype == REG_F64 && y[0] == 0.1 && y[1] == 1e308);
  reg_data_free(d);
  write_file("a,y\n1,1e309\n", 12);
  cr_assert_null(reg_data_load(&(reg_data_plan){.nops = 1, .ops = &op, .dtype = REG_F64}, &st));
  cr_assert(strstr(st.text, "too large for a 64-bit float"), "%s", st.text);
  unlink(path);
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
      {"a,b,y\n1,2,3\n1,two,3\n", "data_bad", ":3:2:", "`two` in column `b` is no number"},
      {"a,b,y\n1,nan,3\n", "data_bad", ":2:2:", "`nan` in column `b` stands for a missing number"},
      {"a,b,y\n-Inf,1,3\n", "data_bad", ":2:1:", "not a finite number"},
      {"a,b,y\n1e39,1,3\n", "data_bad", ":2:1:", "too large"},
      {"a,a,y\n1,2,3\n", "data_bad", ":1:2:", "twice in the header"},
      {"a,,y\n1,2,3\n", "data_bad", ":1:2:", "no name"},
      {"a,b,z\n1,2,3\n", "target_missing", "", "no column `y`"},
      {"a;b;y\n1;2;3\n", "target_missing", "", "no column `y`"},
      {"y\n1\n", "data_bad", ":1:1:", "only column"},
      {"1,2,3\n4,5,6\n", "data_bad", ":1:1:", "no header"},
      {"a,b,y\n1,2,3\n1,2,NA\n", "data_bad", ":3:3:", "`NA` in column `y` stands for a missing number"},
      {"a,b,y\n1,2,?\n1,2,3\n", "data_bad", ":2:3:", "`?` in column `y` stands for a missing number"},
      {"a,b,y\n1,2,nan\n1,2,3\n", "data_bad", ":2:3:", "`nan` in column `y` stands for a missing number"},
      {"a,b,y\n1,2,3\n1,2,1e400\n", "data_bad", ":3:3:", "too large"},
      {"a,b,y\n1,2,3\n1,1e400,3\n", "data_bad", ":3:2:", "too large"},
      {"a,b,y\n1,2,\"3\n", "data_bad", ":2:3:", "not closed"},
      {"a,b,y\n1,2\"5,3\n", "data_bad", ":2:2:", "misplaced quote"},
      {"a,b,y\n\"1\n\",2,3\n", "data_bad", ":2:1:", "is no number"},
      {"a,b,y\n1,2,\"x\ny\"\n1,oh,z\n", "data_bad", ":4:2:", "`oh` in column"},
      {"\xff\xfe"
       "a",
       "data_bad", "", "UTF-16 and damaged"},
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
  op.path = "/dev"; // a folder without tables
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

Test(csv, carriage_returns_alone_end_lines) {
  reg_status st;
  reg_dataset *d = load("a,y\r1,u\r\r2,v\r", "y", NULL, 0, &st);
  cr_assert(d && d->nrows == 2 && ((float *)d->fields[0].values)[1] == 2, "%s", st.text);
  reg_data_free(d);
  cr_assert_null(load("a,y\r1,u\r\rx,v\r", "y", NULL, 0, &st));
  cr_assert(strstr(st.text, ":4:1:"), "%s", st.text);
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
  op.stratify = "y";
  cr_assert_null(load("a,y\n1,0.5\n2,1\n3,1\n4,1\n5,1\n6,1\n7,1\n", "y", &op, 1, &st));
  cr_assert(strstr(st.text, "`0.5`") && strstr(st.text, ":2:2) is no integer"), "%s", st.text);
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

Test(standardize, takes_the_mean_off_before_it_rounds) {
  reg_status st;
  char text[4096] = "t,y\n";
  for (int i = 0; i < 100; i++)
    snprintf(text + strlen(text), sizeof text - strlen(text), "%d,%d\n", 1700000000 + i, i);
  reg_data_op ops[3] = {
      {.kind = REG_DATA_SCALE, .factor = -2}, {.kind = REG_DATA_STANDARDIZE}, {.kind = REG_DATA_STANDARDIZE}};
  reg_dataset *d = load(text, "y", ops, 3, &st);
  cr_assert(d, "%s", st.text);
  const float *x = d->fields[0].values;
  const double deviation = sqrt((100.0 * 100 - 1) / 12);
  for (int i = 0; i < 100; i++)
    cr_assert_eq(x[i], (float)((49.5 - i) * (1 / deviation)), "%d: %g", i, (double)x[i]);
  // The same bits for rows that come later.
  double later[] = {1700000000, 1700000099};
  float again[2];
  cr_assert_eq(reg_data_transform(d, later, 2, again), -1);
  cr_assert(again[0] == x[0] && again[1] == x[99]);
  double wrong[] = {1700000000, NAN};
  cr_assert_eq(reg_data_transform(d, wrong, 2, again), 1);
  reg_data_free(d);
}

Test(standardize, mistakes) {
  static const struct {
    const char *text, *what;
    double scale;
    bool test_only;
  } wrong[] = {{"a,y\n1,1\n", "one row", 1, false},
               {"a,y\n1,1\n2,2\n", "there is none", 1, true},
               {"a,b,y\n1,1e-310,1\n1,2e-310,2\n", "column `b` varies too little", 1, false},
               {"a,b,y\n1,1,1\n1,2,2\n", "factor", 0, false},
               {"a,b,y\n1,1,1\n1,2,2\n", "factor", INFINITY, false}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    reg_status st;
    reg_data_op ops[3] = {
        {.kind = REG_DATA_STANDARDIZE},
        {.kind = REG_DATA_SCALE, .factor = wrong[i].scale},
        {.kind = REG_DATA_SPLIT, .nparts = 1, .part_names = {"test"}, .fractions = {1}},
    };
    cr_assert_null(load(wrong[i].text, "y", ops, wrong[i].test_only ? 3 : 2, &st), "%s", wrong[i].what);
    cr_assert(st.code == REG_BAD_DATA && strstr(st.text, wrong[i].what), "%s: %s", wrong[i].what, st.text);
  }
  reg_status st;
  reg_data_op op = {.kind = REG_DATA_SCALE, .factor = 1e30};
  cr_assert_null(load("a,y\n1,1\n\n1e20,2\n", "y", &op, 1, &st));
  cr_assert(strstr(st.text, ":4: column `a` is too large for a 32-bit float when it is scaled"), "%s",
            st.text);
}

Test(target, integers_are_classes_as_they_stand) {
  reg_status st;
  reg_dataset *d = load("a,y\n0,16777217\n1,16777216\n2,-3\n3,1.0e1\n4,9007199254740993\n5,10\n"
                        "6,9007199254740992\n",
                        "y", NULL, 0, &st);
  cr_assert(d, "%s", st.text);
  const reg_field *y = &d->fields[d->target];
  static const char *const names[] = {
      "-3", "10", "16777216", "16777217", "9007199254740992", "9007199254740993"};
  static const int classes[] = {3, 2, 0, 1, 5, 1, 4};
  cr_assert_eq(y->nclasses, 6);
  for (int c = 0; c < 6; c++) cr_assert_str_eq(y->class_names[c], names[c]);
  for (int i = 0; i < 7; i++) cr_assert_eq(y->classes[i], classes[i]);
  cr_assert(y->values && ((float *)y->values)[3] == 10);
  reg_data_free(d);
  static char text[60000];
  strcpy(text, "a,y\n");
  char *at = text + strlen(text);
  for (int i = 0; i < 3000; i++) at += sprintf(at, "1,%d\n", 7 * i);
  d = load(text, "y", NULL, 0, &st);
  cr_assert(d && d->fields[d->target].nclasses == 3000 && d->fields[d->target].classes[2999] == 2999);
  reg_data_free(d);
}

Test(target, what_is_no_class_is_named) {
  static const struct {
    const char *cell, *what;
  } wrong[] = {{"0.5", ":3:2) is no integer"},
               {"1e-1", ":3:2) is no integer"},
               {"9223372036854775808", ":3:2) has more than 64 bits"},
               {"1e30", ":3:2) has more than 64 bits"}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    char text[64];
    reg_status st;
    snprintf(text, sizeof text, "a,y\n1,2\n1,%s\n", wrong[i].cell);
    reg_dataset *d = load(text, "y", NULL, 0, &st);
    cr_assert(d, "%s", st.text);
    const reg_field *y = &d->fields[d->target];
    cr_assert(y->values && !y->classes && !y->nclasses && y->why, "%s", wrong[i].cell);
    cr_assert(strstr(y->why, wrong[i].cell) && strstr(y->why, wrong[i].what), "%s", y->why);
    reg_data_free(d);
  }
}

Test(target, its_kind_does_not_depend_on_the_order) {
  static const char *const orders[] = {"a,y\n1,1\n1,a\n1,1\n", "a,y\n1,a\n1,1\n1,1\n",
                                       "a,y\n1,1\n1,1\n1,a\n"};
  for (int i = 0; i < 3; i++) {
    reg_status st;
    reg_dataset *d = load(orders[i], "y", NULL, 0, &st);
    cr_assert(d, "%s", st.text);
    const reg_field *y = &d->fields[d->target];
    cr_assert(!y->values && y->nclasses == 2 && y->dtype == REG_I32);
    cr_assert(strstr(y->why, "`a`"), "%s", y->why);
    reg_data_free(d);
  }
  reg_status st; // without a number, NA is a class like any other
  reg_dataset *d = load("a,y\n1,NA\n1,red\n", "y", NULL, 0, &st);
  cr_assert(d && d->fields[d->target].nclasses == 2);
  reg_data_free(d);
}

Test(csv, names_of_numbers_are_a_header_where_they_are_asked_for) {
  static const char *const columns[] = {"1", "0"};
  static const char text[] = "0,1\n0.5,2\n";
  reg_rows rows;
  reg_status st = {0};
  write_file(text, sizeof text - 1);
  cr_assert_eq(reg_data_read(&(reg_dataset){.columns = columns, .fields = &(reg_field){.width = 2}}, NULL,
                             path, REG_F32, NULL, &rows, &st),
               0, "%s", st.text);
  cr_assert(rows.nrows == 1 && rows.values[0] == 2 && rows.values[1] == .5);
  reg_rows_free(&rows);
  static const char *const others[] = {"a", "b"};
  cr_assert_neq(reg_data_read(&(reg_dataset){.columns = others, .fields = &(reg_field){.width = 2}}, NULL,
                              path, REG_F32, NULL, &rows, &st),
                0);
  cr_assert(strstr(st.text, "no header"), "%s", st.text);
  unlink(path);
  reg_dataset *d = load("0,1,2\n0.5,2,7\n", "2", NULL, 0, &st);
  cr_assert(d && d->fields[0].width == 2, "%s", st.text);
  reg_data_free(d);
}

Test(csv, many_columns_take_linear_time) {
  enum { COLUMNS = 200000 };
  char *text = malloc(COLUMNS * 10), *at = text;
  reg_status st;
  for (int i = 0; i < COLUMNS; i++) at += sprintf(at, "g%d,", i);
  at += sprintf(at, "y\n");
  for (int i = 0; i < COLUMNS; i++) at += sprintf(at, "1,");
  sprintf(at, "0\n");
  const clock_t begin = clock();
  reg_dataset *d = load(text, "y", NULL, 0, &st);
  cr_assert(d && d->fields[0].width == COLUMNS, "%s", st.text);
  reg_rows rows;
  write_file(text, strlen(text));
  cr_assert_eq(reg_data_read(d, NULL, path, REG_F32, NULL, &rows, &st), 0);
  cr_assert((double)(clock() - begin) / CLOCKS_PER_SEC < 10, "each name against each other takes minutes");
  unlink(path);
  reg_rows_free(&rows);
  free(text);
  reg_data_free(d);
}

// -- parts in files of their own

static reg_dataset *load_parts(const char *train, const char *test, const reg_data_op *more, int count,
                               reg_status *st) {
  char second[80];
  write_file(test, strlen(test));
  snprintf(second, sizeof second, "%s.test", path);
  cr_assert_eq(rename(path, second), 0);
  reg_data_op ops[5] = {{0}};
  for (int i = 0; i < count; i++) ops[i] = more[i];
  ops[count] = (reg_data_op){.kind = REG_DATA_PART, .path = second, .nparts = 1, .part_names = {"test"}};
  reg_dataset *d = load(train, "y", ops, count + 1, st);
  unlink(second);
  return d;
}

Test(parts, another_file_is_made_like_the_first) {
  reg_status st;
  reg_data_op ops[2] = {{.kind = REG_DATA_STANDARDIZE},
                        {.kind = REG_DATA_SPLIT,
                         .nparts = 2,
                         .part_names = {"train", "valid"},
                         .fractions = {.5, .5},
                         .stratify = "y"}};
  static const char train[] = "a,b,y\n1,10,u\n3,30,v\n1,10,v\n3,30,u\n";
  reg_dataset *d = load_parts(train, "y,b,a\nv,20,2\nu,50,5\nv,30,3\n", ops, 1, &st);
  cr_assert(d, "%s", st.text);
  const float *x = d->fields[0].values;
  const reg_field *y = &d->fields[d->target];
  cr_assert(d->nrows == 7 && d->nparts == 2);
  cr_assert_str_eq(d->parts[0].name, "train");
  cr_assert_str_eq(d->parts[1].name, "test");
  cr_assert(d->parts[0].nrows == 4 && d->parts[1].nrows == 3 && d->parts[1].rows[0] == 4);
  cr_assert(x[8] == 0 && x[9] == 0 && x[10] == 3 && x[11] == 3 && x[12] == 1 && x[13] == 1);
  cr_assert(y->classes[4] == 1 && y->classes[5] == 0 && y->nclasses == 2);
  cr_assert_eq(((int32_t *)d->fields[2].values)[6], 6);
  char checksum[17];
  memcpy(checksum, d->checksum, 17);
  reg_data_free(d);
  d = load_parts(train, "y,b,a\nv,20,2\nu,50,5\nv,30,4\n", ops, 2, &st);
  cr_assert(d, "%s", st.text);
  cr_assert(d->nparts == 3 && d->parts[0].nrows == 2 && d->parts[1].nrows == 2 && d->parts[2].nrows == 3);
  cr_assert_str_neq(d->checksum, checksum);
  reg_data_free(d);
}

Test(parts, mistakes) {
  static const struct {
    const char *train, *test, *where, *what;
  } wrong[] = {
      {"a,b,y\n1,2,u\n", "a,y\n1,u\n", ".test`", "lacks 1 of the 2 columns"},
      {"a,b,y\n1,2,u\n", "a,b,c,y\n1,2,3,u\n", ".test:1:3:", "column `c` is not in"},
      {"a,b,y\n1,2,u\n", "a,b\n1,2\n", ".test`", "no column `y`"},
      {"a,b,y\n1,2,u\n", "a,b,y\n1,2,u\n1,2,w\n", ".test:3:3:", "no class `w`"},
      {"a,b,y\n1,2,1.5\n", "a,b,y\n1,2,u\n", ".test:2:3:", "`u` in column `y` is no number"},
      {"a,b,y\n1,2,1.5\n", "a,b,y\n1,2,NA\n", ".test:2:3:", "missing"},
      {"a,b,y\n1,2,1.5\n", "a,b,y\n1,z,2\n", ".test:2:2:", "`z` in column `b` is no number"},
      {"a,b,y\n1,2,1.5\n", "a,b,y\n", ".test:2:1:", "no rows"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    reg_status st;
    cr_assert_null(load_parts(wrong[i].train, wrong[i].test, NULL, 0, &st), "%s", wrong[i].test);
    cr_assert(strstr(st.text, wrong[i].where) && strstr(st.text, wrong[i].what), "%s -> %s", wrong[i].test,
              st.text);
  }
  reg_status st;
  reg_data_op split = split_op();
  split.stratify = NULL;
  cr_assert_null(load_parts("a,y\n1,1\n2,2\n3,1\n4,1\n5,2\n6,1\n", "a,y\n1,1\n", &split, 1, &st));
  cr_assert(strstr(st.text, "part `test` is given twice"), "%s", st.text);
}

// Whoever reads the target as numbers does not mind other integers than those of the training data.
Test(parts, other_integers_are_no_classes) {
  reg_status st;
  reg_dataset *d = load_parts("a,y\n1,1\n2,2\n", "a,y\n1,2\n1,4\n", NULL, 0, &st);
  cr_assert(d, "%s", st.text);
  const reg_field *y = &d->fields[d->target];
  cr_assert(y->values && ((float *)y->values)[3] == 4 && !y->nclasses && !y->classes);
  cr_assert(strstr(y->why, "`4`") && strstr(y->why, ".test:3:2) is not among those of the training data"),
            "%s", y->why);
  reg_data_free(d);
}

static int by_number(const void *a, const void *b) {
  const double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

Test(numbers, are_sorted_where_they_stand) {
  enum { N = 20000 };
  static double sorted[N], expected[N];
  for (int kind = 0; kind < 4; kind++) {
    for (int i = 0; i < N; i++) {
      const uint32_t word = reg_random_word(3, 1, (uint32_t)kind, (uint64_t)i);
      const double x = (double)word - 0x1p31;
      sorted[i] = kind == 0   ? x
                  : kind == 1 ? (double)(word % 7)
                  : kind == 2 ? x * exp2((double)(word % 600))
                              : i;
    }
    sorted[5] = -INFINITY;
    sorted[6] = INFINITY;
    sorted[7] = -0x1p-1074;
    memcpy(expected, sorted, sizeof expected);
    qsort(expected, N, sizeof *expected, by_number);
    data_sort(sorted, N);
    for (int i = 0; i < N; i++) cr_assert_eq(sorted[i], expected[i], "kind %d, %d", kind, i);
  }
}

Test(numbers, many_integers_are_classes_in_ascending_order) {
  enum { N = 50000, FIRST = 40000 };
  static int64_t values[N];
  for (int64_t i = 0; i < N; i++) values[i] = (i * 7919 % FIRST) * 3 - 1000;
  Heap heap = {0};
  reg_field f = {0};
  int64_t stranger;
  cr_assert_eq(data_integer_classes(&heap, &f, values, FIRST, N, &stranger), 0);
  cr_assert(stranger == -1 && f.nclasses == FIRST && !strcmp(f.class_names[0], "-1000"));
  for (int64_t i = 0; i < N; i++) cr_assert_eq(f.classes[i], (values[i] + 1000) / 3);
  values[N - 2] = 7;
  f = (reg_field){0};
  cr_assert_eq(data_integer_classes(&heap, &f, values, FIRST, N, &stranger), 0);
  cr_assert_eq(stranger, N - 2);
  reg_heap_free(&heap);
}
