// Graph text: every operation's example and every file makes the round trip; malformed text is refused and
// never crashes.
#include "test_graph_support.h"
#include <glob.h>

static const char preamble[] =
    "graph \"example\"\na = input f32[3] \"a\"\nb = input f32[3] \"b\"\nm = input f32[2,3] \"m\"\n"
    "i = input i32[2] \"i\"\nseed = input i32[2] \"seed\"\nstep = input i32[] \"step\"\n";

static void round_trip(Arena *a, const char *text) {
  Graph *g = must_parse(a, text);
  cr_expect_null(graph_verify(g), "%s", graph_verify(g));
  char *first = printed(g), *second = printed(must_parse(a, first));
  cr_expect_str_eq(first, second);
  free(first);
  free(second);
}

Test(graph_text, every_operation) {
  for (int op = 0; op < OP_COUNT; op++) {
    Arena *a = arena_new();
    bool leaf = op_info[op].class == CLASS_LEAF;
    const char *text =
        arena_printf(a, "%soutput \"y\" %s\n", leaf ? "graph \"leaf\"\n" : preamble, op_info[op].example);
    round_trip(a, text);
    cr_expect_eq((int)must_parse(a, text)->outputs.data[0].node->op, op, "%s", op_info[op].text);
    cr_expect_eq(op_find(op_info[op].text, strlen(op_info[op].text)), op);
    arena_free(a);
  }
}

Test(graph_text, files) {
  glob_t found;
  cr_assert_eq(glob(SOURCE_DIR "/tests/graph/*.graph", 0, NULL, &found), 0);
  for (size_t f = 0; f < found.gl_pathc; f++) {
    Arena *a = arena_new();
    round_trip(a, file_text(a, found.gl_pathv[f]));
    arena_free(a);
  }
  globfree(&found);
}

// Values, names and aliases that are easily lost.
Test(graph_text, exact_values) {
  Arena *a = arena_new();
  Graph *g = graph_new(a, "a \"quoted\"\\ name\n");
  const double v[] = {0.1, -0.0, 1e-310, INFINITY, -INFINITY, NAN, 1.0 / 3};
  Node *c = graph_tensor(g, v, DT_F32, shape_of(1, (int64_t)7));
  Node *x = graph_input(g, "param:net.weight", DT_F32, c->shape);
  graph_output(g, "param:net.weight", graph_binary(g, OP_ADD, x, c), 0);
  char *text = printed(g);
  Graph *back = must_parse(a, text);
  cr_expect_str_eq(back->name, g->name);
  cr_expect_eq(back->outputs.data[0].alias, 0);
  const Node *d = back->nodes.data[c->id];
  cr_assert(d->op == OP_CONST && d->ndata == 7);
  for (int i = 0; i < 7; i++)
    cr_expect(memcmp(&d->data[i], &v[i], sizeof v[i]) == 0 || (isnan(v[i]) && isnan(d->data[i])));
  free(text);
  arena_free(a);
}

static void refused(const char *body, const char *message) {
  Arena *a = arena_new();
  const char *error = NULL;
  Graph *g = graph_parse(a, arena_printf(a, "%s%s", preamble, body), &error);
  cr_expect(!g && error && strstr(error, message), "%s: `%s` instead of `%s`", body,
            error ? error : "accepted", message);
  arena_free(a);
}

Test(graph_text, laws) {
  refused("y = add(a, m)", "line 8: add: operand shapes [3] and [2, 3] differ");
  refused("y = add(a, i)", "operand");
  refused("y = add(a)", "1 operands instead of 2");
  refused("y = exp(i)", "no i32 operands");
  refused("y = and(a, b)", "no f32 operands");
  refused("y = select(a, a, b)", "the condition is not bool");
  refused("y = sum(m) axes=[2]", "axis out of range");
  refused("y = sum(m) axes=[1,0]", "not increasing");
  refused("y = sum(m) axes=[]", "no axis is reduced");
  refused("y = argmax(m) axes=[0,1]", "one axis");
  refused("y = cumsum(m) axis=2 reverse=0", "axis out of range");
  refused("y = cumsum(m) axis=1 reverse=2", "reverse is 0 or 1");
  refused("y = reshape(m) f32[5]", "keeps the number of elements");
  refused("y = reshape(m) i32[6]", "the element type stays");
  refused("y = transpose(m) perm=[0,0]", "no permutation");
  refused("y = transpose(m) perm=[0]", "another length");
  refused("y = broadcast(a) f32[3,2] axes=[1]", "does not broadcast");
  refused("y = broadcast(a) f32[2,3] axes=[]", "one axis for each");
  refused("y = slice(m) start=[0,0] stop=[2,4] step=[1,1]", "slice out of range");
  refused("y = slice(m) start=[0,0] stop=[2,3] step=[0,1]", "slice out of range");
  refused("y = slice(m) start=[0,0] stop=[2,3] step=[1]", "lists of different lengths");
  refused("y = pad(m) lo=[-1,0] hi=[0,0] inner=[0,0]", "negative");
  refused("y = concat(m, a) axis=0", "operand ranks differ");
  refused("y = concat(m, m) axis=2", "axis out of range");
  refused("y = matmul(m, m)", "different inner dimensions");
  refused("y = matmul(a, a)", "at least 2");
  refused("y = gather(m, a)", "index is not i32");
  refused("y = scatter_add(i, a) size=3", "differ in the leading axes");
  refused("y = scatter_add(i, m) size=0", "size out of range");
  refused("y = take_along(m, i)", "differ in rank");
  refused("y = argsort(cast(m) i32[2,3])", "of floats");
  refused("y = cumsum(cast(m) i32[2,3]) axis=0 reverse=0", "of floats");
  refused("y = scatter_add(const i32[2] {1, 0}, cast(m) i32[2,3]) size=2", "of floats");
  refused("y = add(a, cast(a) f64[3])", "operand types differ");
  refused("y = matmul(m, cast(transpose(m) perm=[1,0]) f64[3,2])", "matmul is of floats of one type");
  refused("y = uniform(step, seed) f32[2] stream=1", "the seed is i32[2]");
  refused("y = uniform(seed, step) f32[2] stream=-1", "stream out of range");
  refused("y = const f32[2] {1, 2, 3}", "3 values for 2 elements");
  refused("y = const i32[] {0.5}", "is no i32");
  refused("y = const f32[-1] {1}", "has length -1");
  refused("y = const f32[0,1099511627776,2] {0}", "too many elements");
  refused("y = argmax(const f32[2,0] {0}) axes=[1]", "argmax of nothing");
  refused("y = gather(const f32[0] {0}, const i32[1] {0})", "gather from nothing");
  refused("y = slice(a) start=[2] stop=[1] step=[1]", "slice out of range");
  refused("y = const f32[1099511627776,2] {1}", "too many elements");
  refused("y = input f32[3] \"a\"", "an input of that name exists");
  refused("a = neg(b)", "a second node of that name");
  refused("y = nothing(b)", "unknown `nothing`");
  refused("output \"y\" a alias=9", "the alias is no input");
  refused("output \"y\" m alias=0", "differs in type from the input");
  refused("output \"y\" a\noutput \"y\" b", "has the name of another");
  refused("output \"y\" a alias=0\noutput \"z\" b alias=0", "overwrites an input");
}

Test(graph_text, deep_nesting) {
  Arena *a = arena_new();
  StrBuf b = {.arena = a};
  strbuf_add(&b, "graph \"deep\" y = ");
  for (int i = 0; i < 100000; i++) strbuf_add(&b, "neg(");
  const char *error = NULL;
  cr_expect_null(graph_parse(a, b.data, &error));
  cr_expect(strstr(error, "nested too deeply"));
  arena_free(a);
}

// Cut and mutated text: accepted or refused with a message, and what is accepted obeys the laws.
Test(graph_text, mutations) {
  glob_t found;
  uint64_t state = 1;
  int accepted = 0, refusals = 0;
  static const char alphabet[] = "()[]{}=,\"%#-.0123456789aefinrstux \n\\";
  cr_assert_eq(glob(SOURCE_DIR "/tests/graph/*.graph", 0, NULL, &found), 0);
  for (int round = 0; round < 3000; round++) {
    Arena *a = arena_new();
    char *text = file_text(a, found.gl_pathv[(size_t)round % found.gl_pathc]);
    size_t len = strlen(text);
    if (round % 3 == 0) text[(size_t)(next_uniform(&state) * (double)len)] = 0;
    for (int k = 0; round % 3 != 0 && k < round % 3; k++)
      text[(size_t)(next_uniform(&state) * (double)len)] =
          alphabet[(size_t)(next_uniform(&state) * (sizeof alphabet - 1))];
    const char *error = NULL;
    Graph *g = graph_parse(a, text, &error);
    cr_assert(g ? !graph_verify(g) : error != NULL);
    accepted += g != NULL;
    refusals += g == NULL;
    arena_free(a);
  }
  globfree(&found);
  cr_expect(accepted > 100 && refusals > 1000, "%d accepted, %d refused", accepted, refusals);
}

// The verifier sees what no text can say.
Test(graph_text, verifier_sees_tampering) {
  Arena *a = arena_new();
  Graph *g = must_parse(a, arena_printf(a, "%sy = add(a, b)\nz = mul(y, y)\noutput \"z\" z\n", preamble));
  Node *z = g->outputs.data[0].node, *y = z->in[0];
  cr_assert_null(graph_verify(g));
  y->shape.dim[0] = 4;
  cr_expect(strstr(graph_verify(g), "has shape"));
  y->shape.dim[0] = 3;
  y->dtype = DT_I32;
  cr_expect(strstr(graph_verify(g), "is f32, but says i32"));
  y->dtype = DT_F32;
  y->in[0] = z;
  cr_expect(strstr(graph_verify(g), "not an earlier node"));
  y->in[0] = g->inputs.data[0];
  g->inputs.len--;
  cr_expect_not_null(graph_verify(g));
  g->inputs.len++;
  cr_expect_null(graph_verify(g));
  arena_free(a);
}
