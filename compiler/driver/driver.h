// What the files of regc share: exit codes, options, the terminal, and one entry for each command.
#ifndef DRIVER_DRIVER_H
#define DRIVER_DRIVER_H
#include "../sema/sema.h"
#include "reg/console.h"

// Exit codes; those of failed runs are reg_status codes and pass through.
enum { EXIT_OK = 0, EXIT_REJECTED = 1, EXIT_USAGE = 2, EXIT_ASSERTION = 4 };

typedef enum CommandId {
#define COMMAND(name, arguments, sentence, story) CMD_##name,
#include "commands.def"
#undef COMMAND
  CMD_COUNT
} CommandId;

typedef enum OptionId {
#define OPTION(id, letter, word, argument, commands, sentence) OPT_##id,
#include "options.def"
#undef OPTION
  OPT_COUNT
} OptionId;

enum { // which commands take an option
#define COMMAND(name, arguments, sentence, story) ON_##name = 1 << CMD_##name,
#include "commands.def"
#undef COMMAND
  ON_ALL = (1 << CMD_COUNT) - 1
};

typedef struct OptionInfo {
  char letter;
  const char *word, *argument, *sentence;
  unsigned commands;
} OptionInfo;
extern const OptionInfo option_info[OPT_COUNT];

typedef struct CommandInfo {
  const char *name, *arguments, *sentence, *story;
} CommandInfo;
extern const CommandInfo command_info[CMD_COUNT];

typedef struct NamePair { // --in NAME=FILE; name NULL: --in FOLDER
  const char *name, *value;
} NamePair;

typedef struct Options {
  CommandId command;
  bool given[OPT_COUNT];        // switches, and whether an argument was given
  const char *value[OPT_COUNT]; // last argument of each
  VEC(const char *) arguments;
  VEC(SemaSet) sets;
  VEC(NamePair) inputs, data;
  VEC(const char *) warnings;
  int optimize, threads;
  double checkpoint; // seconds
  int64_t steps, epochs, batch, at;
  uint64_t seed;
  reg_terminal out, err;
  double start; // seconds on the monotonic clock when the process began
} Options;

// options.c. Returns true to go on; else *exit_code says how to end (help and version were printed, or a
// mistake was told).
bool options_parse(Options *o, Arena *a, int argc, char **argv, int *exit_code);
// How a run shows itself under these options.
reg_console console_of(const Options *o);
// Stores an option's argument in its own form; false where it has none of the allowed values.
bool option_accept(Options *o, Arena *a, OptionId id, const char *v);
extern const char emit_stages[];                          // what --emit takes, apart by blanks
void tell_status(const Options *o, const reg_status *st); // reg_console_status on this console
int usage_error(const char *fmt, ...) __attribute__((format(printf, 1, 2))); // prints, returns EXIT_USAGE
// help.c
void help_print(FILE *out, const CommandId *command); // NULL: overview
void version_print(FILE *out);
// folders.c
// "$VARIABLE/regc", or "~/FALLBACK/regc", made where missing; NULL where it cannot be written to
// or is not this user's alone.
const char *user_folder(Arena *a, const char *variable, const char *fallback);
// clock.c
double now_seconds(void);   // monotonic clock
double process_start(void); // on the same clock, call first in main
// columns.c: columns of a table for people.
typedef struct ShownColumns {
  void *user;
  int64_t count;
  bool all; // also those that are like others, and those behind many
  const char *(*name)(void *user, int64_t k);
  bool (*same)(void *user, int64_t a,
               int64_t b);              // whether two may be alike, by what they hold; NULL: all may
  void (*print)(void *user, int64_t k); // a line
} ShownColumns;
void show_columns(const ShownColumns *c);

// show_table.c
int show_table(Session *s, const Options *o, const char *path); // regc data FILE of a table; the exit code
const char *shown_bins(Arena *a, const int64_t *bins, int n);   // a small histogram (cmd_data.c)
// text.c
bool text_ends_in(const char *text, const char *end);
// Cells row by row, each column as wide as what is in it; `bold`: the first row.
typedef struct TextTable {
  int rows, columns, indent;
  bool bold;
  const char *const *cells;
} TextTable;
void text_table(Arena *a, FILE *out, const TextTable *t);
void text_padded(FILE *out, const char *text, int width); // as it is shown, and blanks up to the width
void text_fill(FILE *out, const char *text);              // words filled to 78 columns
const char *text_bytes(Arena *a, double bytes);           // "1.5 MB"
const char *text_count(Arena *a, double count);           // "12.3 k"
const char *text_json(Arena *a, const char *s);           // quoted and escaped
const char *text_number(Arena *a, double value);          // JSON number; "nan", "inf", "-inf" as strings
const char *text_double(Arena *a, double value);          // with all its digits

#define COMMAND(name, arguments, sentence, story) int cmd_##name(Session *s, const Options *o);
#include "commands.def"
#undef COMMAND
#endif
