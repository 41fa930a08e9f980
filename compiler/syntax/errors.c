// The wording of syntactic and lexical mistakes. In: the wrong token and what the grammar would have taken.
// Out: one diagnostic a mistake; the token filter is told to skip to the next place where the parser can go
// on.
#include "../base/words.h"
#include "build.h"
#include "reg.tab.h"
#include "tokens.h"
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// Of a text in which nothing was understood fewer are told: it is no program.
enum { MOST_MISTAKES = 100, MOST_OF_NONE = 10, LONGEST_SHOWN = 40 };

Span span_at(const ParseContext *p, int start, int length) {
  return (Span){p->source, start, start + length};
}

void extent_note(ParseContext *p, ParseExtent e) {
  if (p->extent == PARSE_WHOLE) p->extent = e;
}

void too_deep(ParseContext *p, Span span) {
  extent_note(p, PARSE_WRONG);
  if (!p->too_deep)
    diag_emit(&p->session->diags, DIAG_nesting_too_deep, span,
              arena_printf(p->arena, "the expression is nested more than %d levels deep", AST_MAX_DEPTH));
  p->too_deep = true;
}

void too_long(ParseContext *p, Span span) {
  extent_note(p, PARSE_WRONG);
  if (!p->too_deep)
    diag_emit(&p->session->diags, DIAG_nesting_too_deep, span,
              arena_printf(p->arena, "the expression has more than %d operators in a row", AST_MAX_LINKS));
  p->too_deep = true;
}

static void count_mistake(ParseContext *p) {
  extent_note(p, PARSE_WRONG);
  if (++p->mistakes >= (p->items.len ? MOST_MISTAKES : MOST_OF_NONE)) p->give_up = true;
}

// At most LONGEST_SHOWN bytes of a source text, cut between characters.
static const char *shortened(ParseContext *p, const char *text, int length) {
  if (length <= LONGEST_SHOWN) return arena_strndup(p->arena, text, (size_t)length);
  int cut = LONGEST_SHOWN;
  while (cut > 0 && ((unsigned char)text[cut] & 0xC0) == 0x80) cut--;
  return arena_printf(p->arena, "%.*s...", cut, text);
}

void bad_characters(ParseContext *p, Span span, const char *text, int length) {
  if (p->give_up) return;
  unsigned char c = (unsigned char)text[0];
  const ShownChar as = reg_shown_char(text, (size_t)length);
  const char *shown = as.bytes == text ? arena_printf(p->arena, "character `%.*s`", (int)as.count, text)
                                       : arena_printf(p->arena, "character (byte 0x%02X)", c);
  diag_emit(&p->session->diags, DIAG_bad_character, span, shown);
  count_mistake(p);
}

enum { TOK_NONE = 0, TOK_LINE = -1, TOK_LINE_END = -2 };
static const struct Foreign {
  const char *text;
  int stand_in;
  const char *hint;
} foreign[] = {
#define FOREIGN(text, stand_in, hint) {text, TOK_##stand_in, hint},
#define TOK_NEWLINE                   TOK_LINE_END
#include "foreign.def"
#undef TOK_NEWLINE
#undef FOREIGN
};

// The longest sign of the table that the text starts with.
static const struct Foreign *find_foreign(const char *text, int length) {
  const struct Foreign *found = NULL;
  size_t longest = 0;
  for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
    size_t n = strlen(foreign[i].text);
    if (n > (size_t)length || n <= longest || memcmp(foreign[i].text, text, n) != 0) continue;
    found = &foreign[i];
    longest = n;
  }
  return found;
}

int foreign_token(ParseContext *p, Token *t, const char *text, int *length) {
  const struct Foreign *f = find_foreign(text, *length);
  if (!f) {
    bad_characters(p, t->span, text, *length);
    return TOK_NONE;
  }
  const int n = (int)strlen(f->text);
  const bool whole = f->stand_in == TOK_NONE; // a comment, or a text
  if (!whole) *length = n;
  if (!p->give_up) {
    const bool one = reg_shown_char(f->text, (size_t)n).count == (size_t)n;
    Diag *d = diag_emit(&p->session->diags, DIAG_bad_character, span_at(p, t->span.start, n),
                        arena_printf(p->arena, one ? "character `%s`" : "`%s`", f->text));
    diag_hint(d, "%s", f->hint);
    count_mistake(p);
  }
  t->newline_before |= f->stand_in == TOK_LINE_END || (whole && memchr(text, '\n', (size_t)*length));
  t->made = f->stand_in == TOK_LINE;
  switch (f->stand_in) {
  case TOK_LINE: return TOK_FOREIGN;
  case TOK_LINE_END: return tokens_in_brackets(p->tokens) ? TOK_COMMA : TOK_NONE;
  default: return f->stand_in;
  }
}

bool foreign_quotes(ParseContext *p, Token *t, const char *text, int length) {
  int taken = length;
  const char *before = p->text->text + t->span.start - 1;
  const bool behind_operand =
      t->span.start > 0 && (isalnum((unsigned char)*before) || strchr("_)]", *before));
  foreign_token(p, t, text, &taken);
  t->text = arena_strndup(p->arena, text + 1, (size_t)length - 2);
  return !behind_operand;
}

void no_zero_bytes(ParseContext *p, const char *text, int start, int length) {
  const char *zero = memchr(text, '\0', (size_t)length);
  if (zero) bad_characters(p, span_at(p, start + (int)(zero - text), 1), zero, 1);
}

static bool is_unit(const char *word) {
  static const char *const units[] = {"epochs", "epoch", "steps", "step"};
  for (int i = 0; i < 4; i++)
    if (!strcmp(word, units[i])) return true;
  return false;
}

static void unknown_unit(ParseContext *p, const Token *number, const Token *word) {
  static const char *const units[] = {"epochs", "steps"};
  Diag *d = diag_emit(&p->session->diags, DIAG_unknown_unit, word->span, word->text);
  const char *near = nearest_name(word->text, units, 2);
  if (number->percent)
    diag_note(d, number->span, "the number has a unit already");
  else if (near)
    diag_hint(d, "did you mean `%s`?", near);
  else if (!word_hint(d, word->text, WORD_UNIT | WORD_JOINS, NULL, 0))
    diag_hint(d, "a product is written with `*`: `%s * %s`; times are counted in `epochs` or `steps`",
              number->text, word->text);
}

bool unit_follows(ParseContext *p, const Token *number, const Token *word) {
  if (is_unit(word->text) && !number->percent) return true;
  if (word->newline_before) // an open bracket joins the lines
    diag_emit(&p->session->diags, DIAG_syntax, word->span,
              arena_printf(p->arena, "name `%s`, expected an operator or a closing bracket", word->text));
  else
    unknown_unit(p, number, word);
  p->panic = true;
  count_mistake(p);
  return false;
}

// What to write in place of a wrong number; `tail`: what stands behind its digits.
static void number_hint(Diag *d, const char *text, const char *tail) {
  const int digits = (int)(tail - text);
  const size_t point = strspn(text, "0123456789");
  if (text[0] == '.')
    diag_hint(d, "write `0%s`", text);
  else if (text[point] == '.' && !isdigit((unsigned char)text[point + 1]))
    diag_hint(d, "a point has digits on both sides: `%.*s.0%s`", (int)point, text, text + point + 1);
  else if (tail[0] == '_')
    diag_hint(d, "digits stand without `_`");
  else if (strlen(tail) == 1 && strchr("eE", *tail))
    diag_hint(d, "an exponent has digits: `%.*se-3`", digits, text);
  else if (strlen(tail) == 1 && strchr("fFlLuUjd", *tail))
    diag_hint(d, "numbers have no letter behind them: `%.*s`", digits, text);
  else if (is_unit(tail))
    diag_hint(d, "a unit stands behind a blank: `%.*s %s`", digits, text, tail);
  else if (isalpha((unsigned char)*tail) && !(text[0] == '0' && strchr("xXbo", *tail)))
    diag_hint(d, "a product is written with `*`: `%.*s * %s`", digits, text, tail);
}

void bad_number(ParseContext *p, Token *t, const char *text, int length) {
  const char *shown = shortened(p, text, length);
  Diag *d = diag_emit(&p->session->diags, DIAG_bad_number, t->span, shown);
  const char *end = text + strspn(text, "0123456789.");
  if (strchr("eE", *end) && *end && strspn(end + 1, "+-0123456789") > 0 &&
      isdigit((unsigned char)end[1 + strspn(end + 1, "+-")]))
    end += 1 + strspn(end + 1, "+-0123456789");
  if (length <= LONGEST_SHOWN) number_hint(d, text, end);
  t->text = arena_strndup(p->arena, text, (size_t)length);
  count_mistake(p);
}

void number_token(ParseContext *p, Token *t, const char *text, int length) {
  t->percent = text[length - 1] == '%';
  t->text = arena_strndup(p->arena, text, (size_t)(length - t->percent));
  t->num = strtod(t->text, NULL);
  if (t->num > 1.7976931348623157e308) {
    bad_number(p, t, t->text, length - t->percent);
    t->num = 0;
  }
}

void string_token(ParseContext *p, Token *t, const char *text, int length, bool closed) {
  no_zero_bytes(p, text, t->span.start, length);
  StrBuf b = {.arena = p->arena};
  strbuf_add(&b, "");
  int end = closed ? length - 1 : length;
  for (int i = 1; i < end; i++) {
    char c = text[i];
    if (c == '\\' && i + 1 < end) {
      char e = text[++i];
      c = e == 'n' ? '\n' : e == 't' ? '\t' : e;
      if (!strchr("\"\\nt", e) || e == '\0') {
        diag_emit(&p->session->diags, DIAG_bad_escape, span_at(p, t->span.start + i - 1, 2),
                  (unsigned char)e < 0x20 || (unsigned char)e > 0x7E ? "\\?"
                                                                     : arena_printf(p->arena, "\\%c", e));
        count_mistake(p);
      }
    }
    if (c) strbuf_addn(&b, &c, 1);
  }
  t->text = b.data;
  if (!closed) {
    diag_emit(&p->session->diags, DIAG_bad_string, t->span);
    count_mistake(p);
  }
}

// Expected tokens in groups, so that a list reads as a person would say it.

enum { MEMBERS = 32 };
typedef struct Group {
  const char *name;
  const char *marks[2];         // the group is meant where all of these are expected
  const char *members[MEMBERS]; // they are then not listed one by one
} Group;

// In order: a wider group comes before those it contains.
static const Group groups[] = {
    {"a definition or a statement",
     {"`data`", "`use`"},
     {"the end of the file",
      "`data`",
      "`model`",
      "`layer`",
      "`fn`",
      "`penalty`",
      "`loss`",
      "`schedule`",
      "`optimizer`",
      "`metric`",
      "`prox`",
      "`let`",
      "`param`",
      "`procedure`",
      "`recipe`",
      "`train`",
      "`evaluate`",
      "`check`",
      "`precision`",
      "`use`",
      "`[`",
      "`report`",
      "`assert`",
      "`save`",
      "statement `repeat`",
      "statement `for`",
      "statement `while`",
      "statement `if`",
      "statement `sweep`",
      "a name",
      "`(`",
      "`*`"}},
    {"a statement",
     {"`param`", "`repeat`"},
     {"`param`",  "`state`", "`carry`", "`repeat`",    "`while`",
      "`for`",    "`each`",  "`new`",   "`stack`",     "`minimize … from`",
      "`apply`",  "`table`", "`prox`",  "`precision`", "a number",
      "a string", "a name",  "`(`",     "`[`",         "`-`",
      "`*`",      "`not`",   "`if`",    "`true`",      "`false`"}},
    {"a clause",
     {"`penalize`", "`stop`"},
     {"`penalize`", "`optimize`", "`minimize`", "`constrain`", "`log`", "`freeze`", "`sample`", "`stop`",
      "`precision`", "a line", "a name"}},
    {"an expression",
     {"a number", "`(`"},
     {"a number",
      "a string",
      "a name",
      "`(`",
      "`[`",
      "`-`",
      "`*`",
      "`not`",
      "`if`",
      "`true`",
      "`false`",
      "`repeat`",
      "`while`",
      "`for`",
      "`each`",
      "`new`",
      "`table`",
      "`prox`",
      "`minimize … from`",
      "`without`",
      "`with`"}}, // of a list of recipes
    {"an operator", {"`+`", "`^`"}, {"`+`",  "`-`",  "`*`",      "`/`",  "`@`",    "`^`",     "`<`",
                                     "`<=`", "`>`",  "`>=`",     "`==`", "`!=`",   "`..`",    "`and`",
                                     "`or`", "`at`", "`except`", "`as`", "`|>`",   "`until`", "`->`",
                                     "`(`",  "`[`",  "`.`",      "`.*`", "`with`", "`where`", "a name"}},
    {"an operator", {"`+`", "`*`"}, {"`+`",  "`-`",      "`*`",  "`/`",     "`@`",  "`<`",    "`<=`",
                                     "`>`",  "`>=`",     "`==`", "`!=`",    "`..`", "`and`",  "`or`",
                                     "`at`", "`except`", "`|>`", "`until`", "`->`", "`with`", "`where`"}},
    {"a body", {"`{`", "`higher`"}, {"`=`", "`{`", "`higher`", "`is`"}},
    {"a type", {"a number", "`..`"}, {"a number", "a name", "`-`", "`..`", "`[`"}},
    {"a selector", {"`(`", "`*`"}, {"a name", "`*`", "`(`"}},
    {"a name", {"a name", "`*`"}, {"a name", "`*`"}},
};

int expected_index(const char *const *expected, int n, const char *name) {
  for (int i = 0; i < n; i++)
    if (expected[i] && strcmp(expected[i], name) == 0) return i;
  return -1;
}

// Removes the members of groups that are meant from `names` (NULL in their place) and lists the groups.
static int take_groups(const char **names, int n, const char **taken) {
  int count = 0;
  for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
    const Group *group = &groups[g];
    if (expected_index(names, n, group->marks[0]) < 0 || expected_index(names, n, group->marks[1]) < 0)
      continue;
    for (int i = 0; i < MEMBERS && group->members[i]; i++) {
      int at = expected_index(names, n, group->members[i]);
      if (at >= 0) names[at] = NULL;
    }
    taken[count++] = group->name;
  }
  return count;
}

static const char *expected_text(ParseContext *p, const char *const *expected, int n) {
  const char **names = ARENA_ARRAY(p->arena, const char *, n + 1);
  for (int i = 0; i < n; i++) names[i] = expected[i];
  const char *all[128];
  const char *taken[8];
  int groups_taken = take_groups(names, n, taken), count = 0;
  for (int i = 0; i < n && count < 100; i++)
    if (names[i]) all[count++] = names[i];
  for (int i = 0; i < groups_taken; i++) all[count++] = taken[i];
  StrBuf b = {.arena = p->arena};
  strbuf_add(&b, "");
  for (int i = 0; i < count; i++) {
    strbuf_add(&b, i == 0 ? "" : i + 1 == count ? " or " : ", ");
    strbuf_add(&b, all[i]);
  }
  return b.data;
}

static const char *token_text(ParseContext *p, const Token *t) {
  const Source *s = p->text;
  switch (t->kind) {
  case TOK_END: return "end of the file";
  case TOK_STRING: return "string";
  case TOK_WORD:
  case TOK_NAME: return arena_printf(p->arena, "name `%s`", shortened(p, t->text, (int)strlen(t->text)));
  case TOK_NUMBER: return arena_printf(p->arena, "number `%s`", shortened(p, t->text, (int)strlen(t->text)));
  case TOK_NEWLINE: {
    int next = t->span.end;
    while (next < s->len && (s->text[next] == ' ' || s->text[next] == '\t')) next++;
    return next < s->len && s->text[next] == '}' ? "`}`"
           : next >= s->len                      ? "end of the file"
                                                 : "end of the line";
  }
  default:
    return arena_printf(p->arena, "`%s`", shortened(p, s->text + t->span.start, t->span.end - t->span.start));
  }
}

// `else` behind the braces of `if c { … }`, which were told of.
static bool goes_on_branching(const ParseContext *p) {
  return p->branching && p->token.kind == TOK_ELSE && p->tokens->before.kind == TOK_CLOSEC;
}

void syntax_error(ParseContext *p, const char *const *expected, int n) {
  Token t = p->token;
  bool goes_on =
      p->at_end && (expected_index(expected, n, "`then`") >= 0 || expected_index(expected, n, "`else`") >= 0);
  extent_note(p, goes_on ? PARSE_OPEN_LINE : p->extent_here);
  p->panic = true;
  if (t.made || goes_on_branching(p)) return;
  p->branching = expected_index(expected, n, "`then`") >= 0 || expected_index(expected, n, "`else`") >= 0;
  const char *wrong = token_text(p, &t), *list = expected_text(p, expected, n);
  const char *tail = *list ? arena_printf(p->arena, "%s, expected %s", wrong, list) : wrong;
  Diag *d = diag_emit(&p->session->diags, DIAG_syntax, t.span, tail);
  syntax_hint(p, d, &t, expected, n);
  count_mistake(p);
}
