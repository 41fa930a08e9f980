// The forms in which tables are written: separators, marks, headers, packed files; columns by their roles;
// pieces that threads read.
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "reg/data.h"
#include "reg/rng.h"
#include "text/text.h"

static char path[64];

static void put(const void *bytes, size_t size) {
  snprintf(path, sizeof path, "/tmp/reg_form_%ld.csv", (long)getpid());
  FILE *f = fopen(path, "wb");
  cr_assert(f && fwrite(bytes, 1, size, f) == size && fclose(f) == 0);
}

static reg_dataset *load(const char *text, const char *target, const reg_csv_form *form, reg_status *st) {
  const reg_data_op op = {
      .kind = REG_DATA_CSV, .path = path, .target = target, .nforms = form != NULL, .form = form};
  if (text) put(text, strlen(text));
  return reg_data_load(&(reg_data_plan){.nops = 1, .ops = &op, .dtype = REG_F64}, st);
}

static const double *numbers(const reg_dataset *d, const char *field) {
  return d->fields[reg_data_field(d, field)].values;
}

Test(forms, tabs_commas_comments_and_roles) {
  static const char *const drop[] = {"c;d"};
  static const reg_data_own own[] = {
      {"z", "z", REG_OWN_TARGET}, {"w", "w", REG_OWN_FIELD}, {"id", "patient", REG_OWN_ID}};
  const reg_csv_form form = {.separator = '\t',
                             .decimal = ',',
                             .comment = '#',
                             .ndropped = 1,
                             .dropped = drop,
                             .nown = 3,
                             .own = own};
  reg_status st;
  reg_dataset *d = load("# first\nid\t\"a b\"\tc;d\tw\ty\tz\np1\t1,5\t2\t0,5\tred\t3,25\n  # more\np2\t 2,5 "
                        "\tx\t1\tblue\t4\n\np3\t3,5\t\t2\tred\t1e1",
                        "y", &form, &st);
  cr_assert(d, "%s", st.text);
  cr_assert(d->nrows == 3 && d->nfields == 6 && d->fields[0].width == 1 && !strcmp(d->columns[0], "a b"));
  cr_assert(numbers(d, "x")[1] == 2.5 && numbers(d, "w")[0] == 0.5 && numbers(d, "z")[0] == 3.25 &&
            numbers(d, "z")[2] == 10);
  cr_assert(d->target == reg_data_field(d, "y") && d->named == reg_data_field(d, "patient"));
  cr_assert_str_eq(d->fields[d->named].class_names[2], "p3");
  reg_data_free(d);
}

Test(forms, no_header_names_and_lines_to_skip) {
  static const char *const names[] = {"a", "b", "kind"}, *const columns[] = {"b"};
  reg_status st;
  reg_dataset *d = load("3,2,u,v\n1,2,0\n3,4,1\n", "2", &(reg_csv_form){.skip = 1, .bare = true}, &st);
  cr_assert(d && d->nrows == 2 && d->fields[0].width == 2 && numbers(d, "2")[0] == 0, "%s", st.text);
  reg_data_free(d);
  static const reg_data_own second[] = {{"1", "one", REG_OWN_TARGET}};
  d = load(NULL, NULL, &(reg_csv_form){.skip = 1, .bare = true, .nown = 1, .own = second}, &st);
  cr_assert(d && d->nrows == 2 && d->fields[0].width == 2 && numbers(d, "one")[1] == 4, "%s", st.text);
  reg_data_free(d);
  const reg_csv_form named = {
      .skip = 1, .bare = true, .nnames = 3, .names = names, .ncolumns = 1, .columns = columns};
  d = load(NULL, "kind", &named, &st);
  cr_assert(d && d->nrows == 2 && d->fields[0].width == 1 && numbers(d, "x")[1] == 4, "%s", st.text);
  reg_data_free(d);
  // In place of a header that is there.
  d = load("1,2,3\n4,5,0\n", "kind", &(reg_csv_form){.nnames = 3, .names = names}, &st);
  cr_assert(d && d->nrows == 1 && numbers(d, "x")[1] == 5, "%s", st.text);
  reg_data_free(d);
  cr_assert_null(load("1,2\n4,5\n", "kind", &(reg_csv_form){.nnames = 3, .names = names}, &st));
  cr_assert(strstr(st.text, ":1:4:") && strstr(st.text, "2 fields, and 3 names"), "%s", st.text);
}

Test(forms, mistakes_of_columns) {
  static const char *const nothing[] = {"q"}, *const y[] = {"y"}, *const twice[] = {"a", "a"};
  static const reg_data_own again[] = {{"y", "again", REG_OWN_FIELD}};
  const struct {
    reg_csv_form form;
    const char *what;
  } wrong[] = {{{.ndropped = 1, .dropped = nothing}, "no column `q`"},
               {{.ncolumns = 1, .columns = nothing}, "no column `q`"},
               {{.ncolumns = 1, .columns = y}, ":1:2: column `y` is taken twice"},
               {{.ncolumns = 2, .columns = twice}, ":1:1: column `a` is taken twice"},
               {{.nown = 1, .own = again}, ":1:2: column `y` is two fields"},
               {{.separator = ';'}, "no column `y`"},
               {{.skip = 9}, "empty"}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    reg_status st;
    cr_assert_null(load("a,y\n1,2\n", "y", &wrong[i].form, &st));
    cr_assert(st.code == REG_BAD_DATA && strstr(st.text, wrong[i].what), "%s", st.text);
  }
  reg_status st;
  cr_assert_null(load("a,y\n1,2\n", "y", &(reg_csv_form){.separator = ';'}, &st));
  cr_assert(strstr(st.hint, "separator: \",\""), "%s", st.hint);
}

Test(forms, packed_files) {
  const char text[] = "a,y\n1,2\n3,4\n";
  const size_t size = sizeof text - 1;
  unsigned char packed[400];
  reg_status st;
  z_stream z = {
      .next_in = (Bytef *)(uintptr_t)text, .avail_in = 8, .next_out = packed, .avail_out = sizeof packed};
  cr_assert(deflateInit2(&z, 9, Z_DEFLATED, 31, 9, 0) == Z_OK && deflate(&z, Z_FINISH) == Z_STREAM_END);
  const size_t first = z.total_out;
  cr_assert(deflateReset(&z) == Z_OK);
  z.next_in = (Bytef *)(uintptr_t)text + 8; // a second member
  z.avail_in = (unsigned)size - 8;
  z.next_out = packed + first;
  z.avail_out = sizeof packed - (unsigned)first;
  cr_assert(deflate(&z, Z_FINISH) == Z_STREAM_END);
  const size_t used = first + z.total_out;
  deflateEnd(&z);
  put(packed, used);
  reg_dataset *d = load(NULL, "y", NULL, &st);
  cr_assert(d && d->nrows == 2 && numbers(d, "y")[1] == 4, "%s", st.text);
  reg_data_free(d);
  put(packed, used - 9);
  cr_assert_null(load(NULL, "y", NULL, &st));
  cr_assert(strstr(st.text, "packed and damaged"), "%s", st.text);

  const size_t all = ZSTD_compress(packed, sizeof packed, text, size, 3);
  put(packed, all);
  d = load(NULL, "y", NULL, &st);
  cr_assert(d && d->nrows == 2 && numbers(d, "x")[1] == 3, "%s", st.text);
  reg_data_free(d);
  put(packed, all - 3);
  cr_assert_null(load(NULL, "y", NULL, &st));
  cr_assert(strstr(st.text, "packed and damaged"), "%s", st.text);
  packed[6] ^= 0x55;
  put(packed, all);
  cr_assert_null(load(NULL, "y", NULL, &st));
  unlink(path);
}

// Some megabytes, which threads read in pieces: fields with line ends inside, blank lines, both line ends.
Test(pieces, are_one_table) {
  enum { ROWS = 120000 };
  char *text = malloc(ROWS * 64), *to = text;
  to += sprintf(to, "a,name,b,y\n");
  for (int i = 0; i < ROWS; i++)
    to += sprintf(to, "%d.5,\"x%s%d\"\"\",-%d,%s%s%s", i, i % 7 ? "," : "\n", i % 10, i,
                  i % 3 ? "u" : "\"v\r\n\"", i % 5 ? "\n" : "\r\n", i % 11 ? "" : "\n");
  static const char *const drop[] = {"name"};
  reg_status st;
  put(text, (size_t)(to - text));
  reg_dataset *d = load(NULL, "y", &(reg_csv_form){.ndropped = 1, .dropped = drop}, &st);
  cr_assert(d && d->nrows == ROWS, "%s", st.text);
  const reg_field *y = &d->fields[d->target];
  cr_assert(y->nclasses == 2 && !strcmp(y->class_names[1], "v\r\n"));
  for (int i = 0; i < ROWS; i++)
    cr_assert(numbers(d, "x")[2 * i] == i + 0.5 && numbers(d, "x")[2 * i + 1] == -i &&
              y->classes[i] == !(i % 3));
  reg_data_free(d);
  // The first mistake counts, with the line that it stands on.
  int line = 2;
  char *wrong = NULL;
  for (char *c = strchr(text, '\n') + 1; c < to; c++) {
    if (line > 300000 / 2 && !wrong && !strncmp(c, "u\n", 2)) *(wrong = c - 1) = ' ';
    if (wrong) break;
    line += *c == '\n';
  }
  cr_assert(wrong);
  to[-2] = '"';
  put(text, (size_t)(to - text));
  char where[32];
  snprintf(where, sizeof where, ":%d:", line);
  cr_assert_null(load(NULL, "y", &(reg_csv_form){.ndropped = 1, .dropped = drop}, &st));
  cr_assert(strstr(st.text, where), "%s instead of %s", st.text, where);
  free(text);
  unlink(path);
}

Test(hostile, long_fields_bytes_and_zeros) {
  enum { LONG = 1 << 21 };
  char *text = malloc(LONG + 64);
  reg_status st;
  for (int quoted = 0; quoted < 2; quoted++) {
    char *to = text + sprintf(text, "a,y\n1,%s", quoted ? "\"" : "");
    memset(to, 'z', LONG);
    strcpy(to + LONG, quoted ? "\"\n" : "\n");
    put(text, strlen(text));
    cr_assert_null(load(NULL, "y", NULL, &st));
    cr_assert(strstr(st.text, ":2:2: a field of more than"), "%s", st.text);
  }
  free(text);
  const struct {
    const char *text;
    size_t size;
    const char *what;
  } wrong[] = {{"a,y\n1,\0\n", 9, ":2:2: a zero byte"},
               {"a,y\n1\0,2\n", 10, ":2:1: a zero byte"},
               {"a,y\n1,\"x\0\"\n", 12, ":2:2: a zero byte"},
               {"a\xe9,y\n1,2\n", 10, ":1:1: the name of column 1 is no UTF-8"},
               {"a,y\n1,\xe9t\xe9\n", 10, ":2:2: the field is no UTF-8"},
               {"a,y\n1,\xed\xa0\x80\n", 10, ":2:2: the field is no UTF-8"},
               {"a,y\n1,\xf0\x9f\x98\n", 10, ":2:2: the field is no UTF-8"}};
  for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
    put(wrong[i].text, wrong[i].size);
    cr_assert_null(load(NULL, "y", NULL, &st));
    cr_assert(st.code == REG_BAD_DATA && strstr(st.text, wrong[i].what), "%s", st.text);
  }
  reg_dataset *d = load("a,y\n1,\xc3\xa9t\xc3\xa9\n2,\xf0\x9f\x98\x80\n", "y", NULL, &st);
  cr_assert(d && d->fields[d->target].nclasses == 2, "%s", st.text);
  reg_data_free(d);
  unlink(path);
}

Test(numbers, long_ones_are_rounded_once) {
  for (uint32_t i = 0; i < 20000; i++) {
    char text[80];
    reg_status st;
    const uint64_t digits = ((uint64_t)reg_random_word(5, 0, i, 0) << 32 | reg_random_word(5, 1, i, 0)) %
                            UINT64_C(9999999999999999999);
    const int exponent = (int)(reg_random_word(5, 2, i, 0) % 56) - 28,
              point = (int)(reg_random_word(5, 3, i, 0) % 19);
    char all[32];
    const int n = snprintf(all, sizeof all, "%llu", (unsigned long long)digits), at = point < n ? point : n;
    snprintf(text, sizeof text, "a,y\n%.*s.%se%d,1\n", at, all, all + at, exponent);
    if (i % 200) { // most through the parser alone
      double value;
      const char *end, *start = text + 4;
      extern const char *number_quick(const char *, char, reg_dtype, double *);
      end = number_quick(start, '.', REG_F64, &value);
      cr_assert(!end || (*end == ',' && value == strtod(start, NULL)), "%s", text);
      continue;
    }
    reg_dataset *d = load(text, "y", NULL, &st);
    cr_assert(d && numbers(d, "x")[0] == strtod(text + 4, NULL), "%s", text);
    reg_data_free(d);
  }
  unlink(path);
}

// Rows, or the mistake, do not depend on where a file is cut.
static void same_in_blocks(const reg_data_plan *plan, const reg_dataset *d, const reg_status *whole) {
  extern size_t csv_least_piece;
  const size_t before = csv_least_piece;
  reg_status st;
  for (csv_least_piece = 1; csv_least_piece < 64; csv_least_piece *= 3) {
    reg_dataset *again = reg_data_load(plan, &st);
    cr_assert(!again == !d && !strcmp(st.text, whole->text), "%s instead of %s", st.text, whole->text);
    if (!d) continue;
    cr_assert(again->nrows == d->nrows && again->fields[0].width == d->fields[0].width);
    cr_assert(!strcmp(again->checksum, d->checksum));
    const size_t bytes = (size_t)(d->nrows * d->fields[0].width) * reg_dtype_bytes(d->fields[0].dtype);
    cr_assert(!memcmp(again->fields[0].values, d->fields[0].values, bytes));
    const int y = d->target;
    for (int64_t i = 0; i < d->nrows && d->fields[y].classes; i++)
      cr_assert(d->fields[y].classes[i] == again->fields[y].classes[i]);
    reg_data_free(again);
  }
  csv_least_piece = before;
}

static void ignore(void *user, const char *what) {
  (void)user;
  (void)what;
}

// As UTF-16 of either order of bytes, a text of characters that have one unit.
static size_t widened(const char *text, size_t size, bool big, unsigned char *to) {
  size_t n = 0;
  to[n++] = big ? 0xFE : 0xFF;
  to[n++] = big ? 0xFF : 0xFE;
  for (size_t i = 0; i < size; i++) {
    to[n++] = big ? 0 : (unsigned char)text[i];
    to[n++] = big ? (unsigned char)text[i] : 0;
  }
  return n;
}

Test(wide, texts_of_sixteen_bits) {
  static const unsigned char pair[] = {0x3D, 0xD8, 0, 0xDE, '\n', 0}; // a character of two units
  const reg_data_op op = {.kind = REG_DATA_CSV, .path = path, .target = "y"};
  const reg_data_plan plan = {.nops = 1, .ops = &op, .dtype = REG_F64};
  unsigned char wide[400];
  reg_status st;
  for (int big = 0; big < 2; big++) {
    put(wide, widened("a,y\n1.5,red\r\n2.5,blue\n", 22, big, wide));
    reg_dataset *d = reg_data_load(&plan, &st);
    cr_assert(d && d->nrows == 2 && numbers(d, "x")[1] == 2.5 && !strcmp(d->fields[1].class_names[1], "red"),
              "%s", st.text);
    same_in_blocks(&plan, d, &st);
    reg_data_free(d);
  }
  for (size_t cut = 0; cut < 6; cut += 2) { // whole, without its second unit, without both
    size_t n = widened("a,y\n1,x\n2,", 10, false, wide);
    memcpy(wide + n, pair + cut, sizeof pair - cut);
    put(wide, n + sizeof pair - cut);
    if (cut == 2) memcpy(wide + n, pair, 2), put(wide, n + 2);
    reg_dataset *d = reg_data_load(&plan, &st);
    if (cut == 0)
      cr_assert(d && !strcmp(d->fields[1].class_names[1], "\xF0\x9F\x98\x80"), "%s", st.text);
    else
      cr_assert(!d && strstr(st.text, cut == 2 ? ":3:2: the field is no UTF-8" : ":3:2: empty field"), "%s",
                st.text);
    same_in_blocks(&plan, d, &st);
    reg_data_free(d);
  }
  put(wide, widened("a,y\n1,2\n", 8, false, wide) - 1);
  cr_assert(!reg_data_load(&plan, &st) && strstr(st.text, "ends within a character"), "%s", st.text);
}

// Titles, notes, separators at the ends of lines: the same wherever blocks end.
Test(around, lines_that_are_no_rows) {
  const struct {
    const char *text;
    reg_csv_form form;
    int64_t rows; // 0: refused
    const char *what;
  } files[] = {
      {"sep=;\na;y\n1;2\n3;4\n", {0}, 2, ""},
      {"\"sep=|\"\r\na|y\r\n1|2\r\n", {0}, 1, ""},
      {"SEP=;\nTitle\na;y\n1;2\n", {.skip = 2}, 1, ""},
      {"sep=a\n1\n", {0}, 0, "no column `y`"},
      {"T\n\na,y\n1,2\n", {.skip = 2}, 1, ""},
      {"a,y\n1,2\n3,4\nTotal,6\n", {.footer = 1}, 2, ""},
      {"a,y\n1,2\n3,4\n\n \nTotal: \"6\n\n(c) \"x\n \n", {.footer = 2}, 2, ""},
      {"a,y\n\"1\",2\n3,\"4\n5\"\nTotal,6", {.footer = 1}, 2, ""},
      {"a,y\n1,2\n", {.footer = 1}, 0, "a header and no rows"},
      {"a,y\n1,2\n", {.footer = 2}, 0, "the file is empty"},
      {"a,y\n1,2\n", {.footer = 100}, 0, "the file is empty"},
      {"a,y,\n1,2,\n3,4,\n", {0}, 2, ""},
      {"a,y\n1,2,\n3,4,\n", {0}, 2, ""},
      {"a,y,\n1,2\n3,4\n", {0}, 2, ""},
      {"a,y,\n1,2,\n3,4\n", {0}, 0, ":3:3: 2 fields, the header has 3"},
      {"a,y\n1,2,\n3,4\n", {0}, 0, ":2:3: more fields than the header's 2"},
      {"a,y\n1,2,\n3,4,\n5,6\n", {0}, 0, ":4:3: 2 fields, the rows before have 3"},
      {"a,y,\n1,2,\n3,4,5\n", {0}, 0, ":1:3: column 3 has no name, and `5` in line 3"},
      {"a,,y\n1,,2\n3, ,4\n5,\"\",6\n", {0}, 3, ""},
      {"a,y\n\"1,5\",2\n\"1.002,5\",3\n7,4\n", {.decimal = ',', .thousands = '.'}, 3, ""},
      {"a,y\n1,5,2\n", {.decimal = ','}, 0, ":2:3: more fields"},
      {"a,y\n1.5,2\n", {.decimal = ','}, 0, "`1.5` in column `a` is no number"},
  };
  for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
    const reg_data_op op = {
        .kind = REG_DATA_CSV, .path = path, .target = "y", .nforms = 1, .form = &files[i].form};
    const reg_data_plan plan = {.nops = 1, .ops = &op, .dtype = REG_F64};
    reg_status st;
    put(files[i].text, strlen(files[i].text));
    reg_dataset *d = reg_data_load(&plan, &st);
    cr_assert((d ? d->nrows : 0) == files[i].rows && strstr(st.text, files[i].what), "%zu: %s", i, st.text);
    same_in_blocks(&plan, d, &st);
    reg_data_free(d);
  }
}

// Whatever bytes stand in it, a table is read or refused with a text; with all that prepares columns.
Test(damage, prepared_tables_do_not_crash) {
  static const char whole[] = "age,color,when,smoker,y\n31,red,2024-03-01,yes,a\nNA,\"blue\",2.3.2024 "
                              "12:30,no,b\n45,,1.4.2024,yes,a\n"
                              ",red,2024-02-29T23:59:59.5+02:00,no,b\n27,blue,31/12/2023 1 "
                              "PM,no,a\n60,blue,\"Mon, Jan 1st, 2024\",yes,b\n";
  static const char likely[] = "\"\"\n\r,,0e-.:/T;#\t\xc3\xa9";
  static const char *const when[] = {"when"}, *const color[] = {"color"}, *const age[] = {"age"};
  static const reg_csv_form forms[] = {{0},
                                       {.comment = '#', .skip = 1, .bare = true},
                                       {.separator = ';', .decimal = ','},
                                       {.decimal = ',', .thousands = '.', .footer = 1}};
  int read = 0;
  for (uint32_t round = 0; round < 1000; round++) {
    char text[sizeof whole];
    reg_status st;
    memcpy(text, whole, sizeof whole);
    for (uint32_t i = 0; i < round % 4; i++) {
      const uint32_t at = reg_random_word(3, 0, round, i), value = reg_random_word(3, 1, round, i);
      text[at % (sizeof whole - 1)] = value & 512 ? likely[value % (sizeof likely - 1)] : (char)value;
    }
    const int form = round % 16 == 7 ? 1 : round % 16 == 11 ? 2 : round % 16 == 6 ? 3 : 0;
    const reg_data_op ops[] = {
        {.kind = REG_DATA_CSV,
         .path = path,
         .target = form == 1 ? "4" : "y",
         .nforms = 1,
         .form = &forms[form]},
        {.kind = REG_DATA_ENCODE, .source = REG_SOURCE_DATE, .date = 0x1ff, .nnamed = 1, .named = when},
        {.kind = REG_DATA_ENCODE, .source = round & 1 ? REG_SOURCE_ONE_HOT : REG_SOURCE_ORDINAL},
        {.kind = round & 2 ? REG_DATA_DROP_MISSING : REG_DATA_IMPUTE,
         .fill = REG_FILL_VALUE,
         .text = "none",
         .nnamed = 1,
         .named = color},
        {.kind = REG_DATA_IMPUTE, .fill = (reg_fill)(round % 3), .flag = true},
        {.kind = REG_DATA_CURVE, .curve = REG_CURVE_BINS, .bins = 3},
        {.kind = round & 4 ? REG_DATA_INTERACT : REG_DATA_SCALE, .factor = 1, .flag = true},
        {.kind = REG_DATA_STANDARDIZE},
        {.kind = REG_DATA_LAG, .lags = 1, .nnamed = 1, .named = age, .nby = 1, .by = color}};
    const bool lags = round & 8;
    put(text, sizeof whole - 1);
    const reg_data_plan plan = {.nops = lags ? 9 : 8, .ops = ops};
    reg_dataset *d = reg_data_load(&plan, &st);
    if (round % 3 == 0) same_in_blocks(&plan, d, &st);
    cr_assert(d || (st.code == REG_BAD_DATA && st.text[0]), "%d %s", st.code, st.text);
    reg_rows rows = {0};
    reg_skipping skipping = {.tell = ignore};
    if (d && !reg_data_read(d, NULL, path, REG_F32, NULL, &rows, &st))
      cr_assert(rows.nrows >= d->nrows || !(round & 2));
    const int64_t whole = rows.nrows;
    reg_rows_free(&rows);
    if (d && !reg_data_read(d, NULL, path, REG_F32, &skipping, &rows, &st))
      cr_assert(rows.nrows >= whole &&
                (lags || rows.place[rows.nrows - 1] <= rows.nrows - 1 + skipping.rows));
    reg_rows_free(&rows);
    read += d != NULL;
    reg_data_free(d);
  }
  unlink(path);
  cr_assert(read > 100 && read < 3900, "%d read", read);
}

// What was told of lines that were left out.
static void keep_told(void *user, const char *what) {
  reg_text_add(user, strstr(what, ".csv"));
  reg_text_add(user, "\n");
}

// Which lines are left out, which places the others have and what is told of it does not depend on where a
// file is cut; quotes that do not close, and such that hold line ends, go over the ends of blocks.
Test(damage, lines_left_out_are_the_same_in_blocks) {
  extern size_t csv_least_piece;
  static const char *const lines[] = {"1,a\n",      "2,\"b\"\n",    "\"3\",\"c\nd\"\r\n", "4\n",
                                      "five,e\r\n", "\"6,f\n",      "7,\"g\"h\n",         "\n",
                                      "8,i,j\n",    "\"k\nl\",m\n", "9,\"\"\"n\"\r",      "NA,o\n"};
  enum { LINES = sizeof lines / sizeof *lines };
  const char *const columns[] = {"a"};
  const reg_data_own name = {.column = "b", .field = "b", .role = REG_OWN_ID};
  const reg_csv_form form = {.nown = 1, .own = &name};
  const reg_field fields[] = {{.name = "x", .width = 1}, {.name = "b"}};
  const double shift[] = {0}, factor[] = {1};
  const reg_dataset d = {.columns = columns,
                         .fields = (reg_field *)fields,
                         .nfields = 2,
                         .target = -1,
                         .named = 1,
                         .form = &form,
                         .shift = (double *)shift,
                         .factor = (double *)factor};
  const size_t before = csv_least_piece;
  for (uint32_t round = 0; round < 200; round++) {
    Text text = {0}, told[2] = {{0}, {0}};
    reg_rows rows[2] = {{0}, {0}};
    reg_text_add(&text, "a,b\n0,first\n");
    for (uint32_t i = 0; i < 12; i++) reg_text_add(&text, lines[reg_random_word(9, 2, round, i) % LINES]);
    put(text.data, text.used);
    for (int k = 0; k < 2; k++) {
      reg_status st = {0};
      reg_skipping skipping = {.tell = keep_told, .user = &told[k]};
      csv_least_piece = k ? 1 + round % 9 : before;
      cr_assert_eq(reg_data_read(&d, NULL, path, REG_F32, &skipping, &rows[k], &st), 0, "%s\n%s", st.text,
                   text.data);
    }
    cr_assert(rows[0].nrows == rows[1].nrows && told[0].used == told[1].used &&
                  (!told[0].used || !strcmp(told[0].data, told[1].data)),
              "%s\n%s%s", text.data, told[0].data, told[1].data);
    for (int64_t i = 0; i < rows[0].nrows; i++)
      cr_assert(rows[0].place[i] == rows[1].place[i] && !strcmp(rows[0].names[i], rows[1].names[i]) &&
                rows[0].values[i] == rows[1].values[i]);
    for (int k = 0; k < 2; k++) {
      reg_rows_free(&rows[k]);
      reg_text_free(&told[k]);
    }
    reg_text_free(&text);
  }
  csv_least_piece = before;
  unlink(path);
}
