// Parsing. In: one source of the session. Out: its tree and comments; mistakes are in the session's
// diagnostics. Bytes of any kind and nesting of any depth end in a tree or a diagnostic, never in a crash.
#include "reg.tab.h"
#include "tokens.h"
#include <string.h>

static bool blank_before(const Source *s, int offset) {
  while (offset > 0 && (s->text[offset - 1] == ' ' || s->text[offset - 1] == '\t')) offset--;
  return offset == 0 || s->text[offset - 1] == '\n';
}

void comment_add(ParseContext *p, int start, int length) {
  const char *text = p->text->text + start;
  no_zero_bytes(p, text, start, length);
  while (length > 1 && text[length - 1] && strchr(" \t\r", text[length - 1])) length--;
  Comment c = {span_at(p, start, length), arena_strndup(p->arena, text, (size_t)length),
               blank_before(p->text, start)};
  vec_push(p->arena, p->parse->comments, c);
}

static int line_of(const ParseContext *p, int offset) {
  int line, column;
  source_position(p->text, offset, &line, &column);
  return line;
}

const char *doc_before(ParseContext *p, int offset) {
  const Comment *comments = p->parse->comments.data;
  int end = p->parse->comments.len;
  while (end > 0 && comments[end - 1].span.start > offset) end--;
  int first = end, line = line_of(p, offset);
  while (first > 0 && comments[first - 1].own_line && strncmp(comments[first - 1].text, "##", 2) == 0 &&
         line_of(p, comments[first - 1].span.start) == line - 1) {
    first--;
    line--;
  }
  if (first == end) return NULL;
  StrBuf b = {.arena = p->arena};
  for (int i = first; i < end; i++) {
    const char *text = comments[i].text + 2;
    if (i > first) strbuf_add(&b, "\n");
    strbuf_add(&b, text + (*text == ' '));
  }
  return b.data;
}

static void feed(ParseContext *p, bool expression) {
  Arena *scratch = arena_new();
  Tokens *tokens = ARENA_NEW(scratch, Tokens);
  p->tokens = tokens;
  tokens_start(tokens, p, expression);
  grammar_pstate *state = grammar_pstate_new();
  if (!state) ice("parser", "cannot start");
  p->token = (Token){.kind = expression ? TOK_FOR_EXPRESSION : TOK_FOR_FILE, .span = span_at(p, 0, 0)};
  int status;
  do {
    GRAMMAR_STYPE value = {.token = p->token};
    status = grammar_push_parse(state, p->token.kind, &value, &p->token.span, p);
    p->token = tokens_next(tokens);
  } while (status == YYPUSH_MORE);
  grammar_pstate_delete(state);
  p->tokens = NULL;
  tokens_end(tokens);
  arena_free(scratch);
}

static ParseContext start(Session *s, int source) {
  ParseContext p = {
      .session = s, .arena = s->arena, .source = source, .text = source_get(&s->sources, source)};
  if (!p.text) ice("parser", "no source %d", source);
  p.parse = ARENA_NEW(s->arena, Parse);
  return p;
}

// The `##` lines at the top of the file, where they do not stand directly before a definition.
static const char *file_doc(const ParseContext *p) {
  const Parse *parse = p->parse;
  StrBuf b = {.arena = p->arena};
  int line = 0, column, end_line = 0;
  for (int i = 0; i < parse->comments.len; i++) {
    const Comment *c = &parse->comments.data[i];
    if (strncmp(c->text, "##", 2) != 0 || !c->own_line) break;
    source_position(p->text, c->span.start, &line, &column);
    if (end_line && line != end_line + 1) break;
    if (!end_line && p->items.len && c->span.start > p->items.data[0]->span.start) break;
    end_line = line;
    if (b.len) strbuf_add(&b, "\n");
    strbuf_add(&b, c->text + 2 + (c->text[2] == ' '));
  }
  if (!end_line) return NULL;
  if (p->items.len && p->items.data[0]->kind == AST_DEF) {
    source_position(p->text, p->items.data[0]->span.start, &line, &column);
    if (line == end_line + 1) return NULL;
  }
  return b.data;
}

// What keeps bytes from being the text of a program as a whole; NULL: nothing.
static const char *wrong_encoding(const Source *s) {
  const char *t = s->text;
  const bool marked = s->len >= 2 && (!memcmp(t, "\xFF\xFE", 2) || !memcmp(t, "\xFE\xFF", 2));
  const bool wide = s->len >= 4 && ((t[0] && !t[1] && t[2] && !t[3]) || (!t[0] && t[1] && !t[2] && t[3]));
  if (marked || wide) return "the file is UTF-16: save it as UTF-8";
  const char *cr = memchr(t, '\r', (size_t)s->len);
  if (cr && cr + 1 < t + s->len && !memchr(t, '\n', (size_t)s->len))
    return "lines end with CR alone: save the file with line ends of LF";
  return NULL;
}

Parse *parse_source(Session *s, int source) {
  ParseContext p = start(s, source);
  const char *wrong = wrong_encoding(p.text);
  if (wrong)
    diag_emit(&s->diags, DIAG_bad_encoding, (Span){source, 0, 0}, wrong);
  else
    feed(&p, false);
  Ast *file = ARENA_NEW(s->arena, Ast);
  *file =
      (Ast){.kind = AST_FILE, .span = {source, 0, p.text->len}, .kids = p.items.data, .nkids = p.items.len};
  for (int i = 0; i < file->nkids; i++)
    if (file->depth <= file->kids[i]->depth) file->depth = file->kids[i]->depth + 1;
  file->doc = file_doc(&p);
  p.parse->file = file;
  return p.parse;
}

Ast *parse_expression(Session *s, int source) {
  ParseContext p = start(s, source);
  int before = s->diags.errors;
  feed(&p, true);
  return s->diags.errors == before ? p.expression : NULL;
}

// Loops are expressions in definitions only.
static bool is_item(const Ast *e) {
  return e &&
         (e->kind > AST_LAST_EXPR || e->kind == AST_REPEAT || e->kind == AST_FOR || e->kind == AST_WHILE);
}

ParseExtent parse_extent(const char *text, int len, ParseForm form, int *items) {
  Session *s = session_new();
  ParseContext p = start(s, source_add(&s->sources, "", text, len));
  feed(&p, form == PARSE_EXPRESSION);
  if (items) *items = 0;
  for (int i = 0; items && i < p.items.len; i++) *items += is_item(p.items.data[i]);
  ParseExtent extent = p.extent;
  session_free(s);
  return extent;
}
