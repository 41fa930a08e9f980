// The wording of syntactic and lexical mistakes. In: the wrong token and what the grammar would have taken.
// Out: one diagnostic a mistake; the token filter is told to skip to the next place where the parser can go
// on.
#include "build.h"
#include "reg.tab.h"
#include "tokens.h"
#include <stdlib.h>
#include <string.h>

enum { MOST_MISTAKES = 100, LONGEST_SHOWN = 40 };

Span span_at(const ParseContext *p, int start, int length) {
  return (Span){p->source, start, start + length};
}

void extent_note(ParseContext *p, ParseExtent e) {
  if (p->extent == PARSE_WHOLE) p->extent = e;
}

void too_deep(ParseContext *p, Span span) {
  extent_note(p, PARSE_WRONG);
  if (!p->too_deep) diag_emit(&p->session->diags, DIAG_nesting_too_deep, span, (int)AST_MAX_DEPTH);
  p->too_deep = true;
}

static void count_mistake(ParseContext *p) {
  extent_note(p, PARSE_WRONG);
  if (++p->mistakes >= MOST_MISTAKES) p->give_up = true;
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
  const char *shown = as.bytes == text ? arena_printf(p->arena, "`%.*s`", (int)as.count, text)
                                       : arena_printf(p->arena, "(byte 0x%02X)", c);
  Diag *d = diag_emit(&p->session->diags, DIAG_bad_character, span, shown);
  if (c == '\'') diag_hint(d, "strings are in double quotes");
  if (c == ';') diag_hint(d, "statements end with their line");
  if (c == '%') diag_hint(d, "`%%` stands directly behind a number: 70%%");
  if (c == '!') diag_hint(d, "negation is `not`");
  if (c == '&' || c == '|') diag_hint(d, "logic is written `and`, `or`, `not`; a pipe is `|>`");
  count_mistake(p);
}

void no_zero_bytes(ParseContext *p, const char *text, int start, int length) {
  const char *zero = memchr(text, '\0', (size_t)length);
  if (zero) bad_characters(p, span_at(p, start + (int)(zero - text), 1), zero, 1);
}

void bad_number(ParseContext *p, Token *t, const char *text, int length) {
  const char *shown = shortened(p, text, length);
  Diag *d = diag_emit(&p->session->diags, DIAG_bad_number, t->span, shown);
  if (text[0] == '.') diag_hint(d, "write `0%s`", shown);
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

typedef struct Group {
  const char *name;
  const char *marks[2];    // the group is meant where all of these are expected
  const char *members[28]; // they are then not listed one by one
} Group;

// In order: a wider group comes before those it contains.
static const Group groups[] = {
    {"a definition, `train`, `evaluate`, `check` or `use`",
     {"`data`", "`use`"},
     {"the end of the file", "`data`", "`model`", "`layer`", "`fn`", "`penalty`", "`loss`", "`schedule`",
      "`optimizer`", "`metric`", "`let`", "`train`", "`evaluate`", "`check`", "`use`"}},
    {"a statement",
     {"`param`", "`repeat`"},
     {"`param`", "`state`", "`repeat`", "`apply`", "a number", "a string", "a name", "`(`", "`[`", "`-`",
      "`*`", "`not`", "`if`", "`true`", "`false`"}},
    {"a clause", {"`penalize`", "`stop`"}, {"`penalize`", "`stop`", "a name"}},
    {"an expression",
     {"a number", "`(`"},
     {"a number", "a string", "a name", "`(`", "`[`", "`-`", "`*`", "`not`", "`if`", "`true`", "`false`"}},
    {"an operator", {"`+`", "`^`"}, {"`+`",  "`-`",  "`*`",      "`/`",  "`@`",   "`^`",     "`<`",
                                     "`<=`", "`>`",  "`>=`",     "`==`", "`!=`",  "`..`",    "`and`",
                                     "`or`", "`at`", "`except`", "`as`", "`|>`",  "`until`", "`->`",
                                     "`(`",  "`[`",  "`.`",      "`.*`", "a name"}},
    {"an operator",
     {"`+`", "`*`"},
     {"`+`", "`-`", "`*`", "`/`", "`@`", "`<`", "`<=`", "`>`", "`>=`", "`==`", "`!=`", "`..`", "`and`",
      "`or`", "`at`", "`except`", "`|>`", "`until`", "`->`"}},
    {"a type", {"a number", "`..`"}, {"a number", "a name", "`-`", "`..`", "`[`"}},
    {"a selector", {"`(`", "`*`"}, {"a name", "`*`", "`(`"}},
    {"a name", {"a name", "`*`"}, {"a name", "`*`"}},
};

static int find_name(const char *const *names, int n, const char *name) {
  for (int i = 0; i < n; i++)
    if (names[i] && strcmp(names[i], name) == 0) return i;
  return -1;
}

// Removes the members of groups that are meant from `names` (NULL in their place) and lists the groups.
static int take_groups(const char **names, int n, const char **taken) {
  int count = 0;
  for (size_t g = 0; g < sizeof groups / sizeof *groups; g++) {
    const Group *group = &groups[g];
    if (find_name(names, n, group->marks[0]) < 0 || find_name(names, n, group->marks[1]) < 0) continue;
    for (int i = 0; i < 28 && group->members[i]; i++) {
      int at = find_name(names, n, group->members[i]);
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

static void suggest_keyword(Diag *d, const Token *t) {
  const char *items[64];
  int n = 0;
  bool item;
  const char *text;
  for (int i = 0; n < 64 && (text = keyword_text(i, &item)); i++)
    if (item) items[n++] = text;
  const char *near = nearest_name(t->text, items, n);
  if (near) diag_hint(d, "did you mean `%s`?", near);
}

void syntax_error(ParseContext *p, const char *const *expected, int n) {
  Token t = p->token;
  bool goes_on =
      p->at_end && (find_name(expected, n, "`then`") >= 0 || find_name(expected, n, "`else`") >= 0);
  extent_note(p, goes_on ? PARSE_OPEN_LINE : p->extent_here);
  p->panic = true;
  if (t.made) return; // the missing bracket was reported
  const char *wrong = token_text(p, &t), *list = expected_text(p, expected, n);
  const char *tail = *list ? arena_printf(p->arena, "%s, expected %s", wrong, list) : wrong;
  Diag *d = diag_emit(&p->session->diags, DIAG_syntax, t.span, tail);
  if (t.kind == TOK_NAME && find_name(expected, n, "`data`") >= 0) suggest_keyword(d, &t);
  if (t.kind == TOK_SET && find_name(expected, n, "`==`") >= 0)
    diag_hint(d, "`==` compares two values; `=` gives a name to one");
  if (t.kind == TOK_COLON && find_name(expected, n, "`=`") >= 0 && find_name(expected, n, "`.`") >= 0)
    diag_hint(d, "a name is given to a value with `=`");
  count_mistake(p);
}
