// Folds, groups and times: how rows are divided besides by shares.
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "reg/data.h"

enum { ROWS = 103 };

// 103 rows of three classes, of 12 groups of other sizes, at times that fall.
static reg_dataset *divided(const reg_data_op *division, reg_status *st) {
  static char path[64];
  static const reg_data_own own[] = {{"g", "g", REG_OWN_FIELD}, {"t", "t", REG_OWN_FIELD}};
  static const reg_csv_form form = {.nown = 2, .own = own};
  reg_data_op ops[2] = {{.kind = REG_DATA_CSV, .path = path, .target = "y", .nforms = 1, .form = &form},
                        *division};
  snprintf(path, sizeof path, "/tmp/reg_divide_%ld.csv", (long)getpid());
  FILE *f = fopen(path, "w");
  fputs("a,y,g,t\n", f);
  for (int i = 0; i < ROWS; i++)
    fprintf(f, "%d,c%d,g%d,%g\n", i, i % 7 < 3 ? 0 : i % 7 < 6 ? 1 : 2, (int)sqrt(i), -0.5 * i);
  fclose(f);
  reg_dataset *d = reg_data_load(&(reg_data_plan){.nops = 2, .ops = ops}, st);
  unlink(path);
  return d;
}

static int32_t class_at(const reg_dataset *d, const char *field, int64_t row) {
  return d->fields[reg_data_field(d, field)].classes[row];
}

Test(folds, every_row_is_tested_once) {
  int tested[ROWS] = {0}, of_class[5][3] = {{0}};
  for (int fold = 0; fold < 5; fold++) {
    reg_status st;
    reg_dataset *d = divided(
        &(reg_data_op){.kind = REG_DATA_FOLD, .nfolds = 5, .fold = fold, .stratify = "y", .seed = 3}, &st);
    cr_assert(d && d->nparts == 2, "%s", st.text);
    const reg_part *train = reg_data_part(d, "train"), *test = reg_data_part(d, "test");
    cr_assert(train->nrows + test->nrows == ROWS && (test->nrows == 20 || test->nrows == 21));
    for (int64_t i = 0; i < test->nrows; i++) {
      tested[test->rows[i]]++;
      of_class[fold][class_at(d, "y", test->rows[i])]++;
    }
    for (int64_t i = 0, k = 0; i < train->nrows; i++) {
      while (k < test->nrows && test->rows[k] < train->rows[i]) k++;
      cr_assert(k == test->nrows || test->rows[k] != train->rows[i]);
    }
    reg_data_free(d);
  }
  for (int i = 0; i < ROWS; i++) cr_assert_eq(tested[i], 1);
  for (int fold = 0; fold < 5; fold++) // 45, 44 and 14 rows of the classes
    cr_assert(of_class[fold][0] == 9 && abs(of_class[fold][1] - 9) <= 1 && abs(of_class[fold][2] - 3) <= 1);
}

Test(folds, groups_stay_together) {
  int fold_of[16], largest = 0, least = ROWS;
  for (int i = 0; i < 16; i++) fold_of[i] = -1;
  for (int fold = 0; fold < 4; fold++) {
    reg_status st;
    reg_dataset *d =
        divided(&(reg_data_op){.kind = REG_DATA_FOLD, .nfolds = 4, .fold = fold, .group = "g"}, &st);
    cr_assert(d, "%s", st.text);
    const reg_part *test = reg_data_part(d, "test");
    largest = test->nrows > largest ? (int)test->nrows : largest;
    least = test->nrows < least ? (int)test->nrows : least;
    for (int64_t i = 0; i < test->nrows; i++) {
      int *of = &fold_of[class_at(d, "g", test->rows[i])];
      cr_assert(*of == -1 || *of == fold);
      *of = fold;
    }
    reg_data_free(d);
  }
  cr_assert(largest - least <= 8, "%d and %d", largest, least);
}

Test(split, by_group_and_class) {
  reg_status st;
  reg_dataset *d = divided(&(reg_data_op){.kind = REG_DATA_SPLIT,
                                          .nparts = 2,
                                          .part_names = {"train", "test"},
                                          .fractions = {.6, .4},
                                          .group = "g",
                                          .stratify = "y",
                                          .seed = 1},
                           &st);
  cr_assert(d, "%s", st.text);
  const reg_part *train = reg_data_part(d, "train"), *test = reg_data_part(d, "test");
  cr_assert(abs((int)train->nrows - 62) < 15, "%lld", (long long)train->nrows);
  for (int64_t i = 0; i < train->nrows; i++)
    for (int64_t k = 0; k < test->nrows; k++)
      cr_assert_neq(class_at(d, "g", train->rows[i]), class_at(d, "g", test->rows[k]));
  reg_data_free(d);
}

Test(split, by_time) {
  reg_status st;
  reg_dataset *d = divided(&(reg_data_op){.kind = REG_DATA_SPLIT,
                                          .nparts = 2,
                                          .part_names = {"train", "test"},
                                          .fractions = {.75, .25},
                                          .time = "t"},
                           &st);
  cr_assert(d, "%s", st.text);
  const reg_part *test = reg_data_part(d, "test"); // the latest: the first rows
  cr_assert(test->nrows == 26 && test->rows[0] == 0 && test->rows[25] == 25);
  reg_data_free(d);
  d = divided(&(reg_data_op){.kind = REG_DATA_FOLD, .nfolds = 3, .fold = 1, .time = "t"}, &st);
  cr_assert(d, "%s", st.text);
  const reg_part *train = reg_data_part(d, "train");
  test = reg_data_part(d, "test");
  cr_assert(train->nrows == 52 && test->nrows == 26 && train->rows[0] == test->rows[25] + 1, "%lld %lld",
            (long long)train->nrows, (long long)test->nrows);
  reg_data_free(d);
}

Test(split, mistakes) {
  const struct {
    reg_data_op op;
    const char *what;
  } wrong[] = {
      {{.nfolds = 20, .stratify = "y"}, "class `c2` of `y` has 14 samples: none is left for fold"},
      {{.nfolds = 104}, "103 rows are too few for 104 folds"},
      {{.nfolds = 12, .group = "g"}, "the 11 groups of `g` are too few"},
      {{.nfolds = 3, .group = "x"}, "cannot group by `x`: it has no classes"},
      {{.nfolds = 3, .group = "h"}, "no such field"},
      {{.nfolds = 3, .time = "y"}, "cannot divide by the time `y`: `c0` is no date such as"},
      {{.nfolds = 3, .time = "t", .group = "g"}, "`time` stands alone"},
  };
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    reg_status st;
    reg_data_op op = wrong[i].op;
    op.kind = REG_DATA_FOLD;
    cr_assert_null(divided(&op, &st));
    cr_assert(strstr(st.text, wrong[i].what), "%s", st.text);
  }
}
