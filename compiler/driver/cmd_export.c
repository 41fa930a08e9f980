// regc export: a trained model for others, as ONNX. In: a program and weights. Out: a file that maps rows as
// in the program's data, a batch of them, to what the model makes of them in evaluation.
#include "../passes/passes.h"
#include "onnx.h"
#include "reg/file.h"
#include "trained.h"
#include <string.h>

enum {
  MODEL_IR = 1,
  MODEL_PRODUCER = 2,
  MODEL_VERSION = 3,
  MODEL_DOC = 6,
  MODEL_GRAPH = 7,
  MODEL_OPSET = 8,
  MODEL_PROPERTY = 14
};
enum { GRAPH_NAME = 2, GRAPH_INPUT = 11, GRAPH_OUTPUT = 12, OPSET_DOMAIN = 1, OPSET_VERSION = 2 };

typedef struct Export {
  Pipeline *pipeline;
  const reg_program *program;
  Trained trained;
  const reg_dataset *data;
  Onnx onnx;
  Text graph; // of GraphProto, but for nodes and tensors
} Export;

// Whether rows are prepared by a factor and a shift alone, which the model then does itself.
static bool takes_raw(const reg_dataset *d) {
  for (int i = 0; i < d->nsources; i++)
    if (d->sources[i].kind != REG_SOURCE_NUMBER || d->sources[i].filled) return false;
  return d->ncurves == 0 && d->fields[0].dtype != REG_I32;
}

static const char *tensor_input(Export *e, const Node *n, const void *values) {
  const int64_t count = shape_count(n->shape);
  double *wide = ARENA_ARRAY(e->pipeline->arena, double, count + 1);
  for (int64_t i = 0; i < count; i++)
    wide[i] = n->dtype == DT_F32   ? (double)((const float *)values)[i]
              : n->dtype == DT_F64 ? ((const double *)values)[i]
              : n->dtype == DT_I32 ? (double)((const int32_t *)values)[i]
                                   : (double)((const unsigned char *)values)[i];
  return onnx_tensor(&e->onnx, n->dtype, n->shape, wide, count);
}

// (x - shift) factor, by column.
static const char *prepared(Export *e, const Node *n, const char *x) {
  const reg_dataset *d = e->data;
  Shape row = n->shape;
  bool needed = false;
  for (int64_t i = 0; i < d->fields[0].width; i++) needed |= d->shift[i] != 0 || d->factor[i] != 1;
  if (!needed) return x;
  row.dim[0] = 1;
  const char *const shift[] = {x, onnx_tensor(&e->onnx, n->dtype, row, d->shift, d->fields[0].width)};
  const char *moved = onnx_node(&e->onnx, "Sub", 2, shift, NULL);
  const char *const factor[] = {moved, onnx_tensor(&e->onnx, n->dtype, row, d->factor, d->fields[0].width)};
  return onnx_node(&e->onnx, "Mul", 2, factor, NULL);
}

// What the input of the graph is to who calls the model: NULL: nothing.
static const char *input(Export *e, const Node *n) {
  const double zero[2] = {0, 0};
  const char *name;
  switch ((reg_slot_kind)n->port.kind) {
  case REG_SLOT_PARAM: return tensor_input(e, n, e->trained.params[n->port.index]);
  case REG_SLOT_STATE:
    return e->trained.states[n->port.index] ? tensor_input(e, n, e->trained.states[n->port.index]) : NULL;
  case REG_SLOT_FIELD:
    name = e->data->fields[n->port.index].name;
    onnx_port(&e->graph, GRAPH_INPUT, name, n->dtype, n->shape);
    return n->port.index == 0 && takes_raw(e->data) ? prepared(e, n, name) : name;
  case REG_SLOT_SETTING: return tensor_input(e, n, &e->program->settings[n->port.index].value);
  case REG_SLOT_SEED:
  case REG_SLOT_STEP:
  case REG_SLOT_EPOCH:
  case REG_SLOT_TURN:
  case REG_SLOT_TOTAL: return onnx_tensor(&e->onnx, n->dtype, n->shape, zero, shape_count(n->shape));
  default: return NULL;
  }
}

static int refuse(const Export *e, const Node *n) {
  reg_status st = {0};
  const char *place = place_text(e->pipeline, n->origin);
  reg_fail(&st, EXIT_REJECTED, "no_onnx", "`%s` has an operation that ONNX has no form for here: `%s`%s%s",
           e->trained.train->name, n->op == OP_INPUT ? n->name : op_info[n->op].text, *place ? ", at " : "",
           place);
  tell_status(e->pipeline->options, &st);
  return EXIT_REJECTED;
}

static void put_property(Text *model, const char *key, const Text *value) {
  Text entry = {0};
  reg_protobuf_text(&entry, 1, key);
  reg_protobuf_text(&entry, 2, value->data ? value->data : "");
  reg_protobuf_message(model, MODEL_PROPERTY, &entry);
}

static void put_list(Text *model, const char *key, const char *const *names, int64_t n) {
  Text list = {0};
  reg_text_add(&list, "[");
  for (int64_t i = 0; i < n; i++) {
    reg_text_item(&list);
    reg_text_json(&list, names[i]);
  }
  reg_text_add(&list, "]");
  put_property(model, key, &list);
  model->failed |= list.failed;
  reg_text_free(&list);
}

static void put_properties(const Export *e, Text *model, int64_t outputs) {
  const reg_dataset *d = e->data;
  Text raw = {0};
  const reg_field *target = d->target >= 0 ? &d->fields[d->target] : NULL;
  reg_text_add(&raw, takes_raw(d) ? "as in the files" : "prepared");
  put_property(model, "x", &raw);
  reg_text_free(&raw);
  put_list(model, "columns", d->columns, d->fields[0].width);
  if (target && target->nclasses == outputs)
    put_list(model, "classes", (const char *const *)target->class_names, target->nclasses);
}

static int write_model(Export *e, int64_t outputs) {
  const Options *o = e->pipeline->options;
  reg_status st = {0};
  Text model = {0}, opset = {0};
  reg_text_bytes(&e->graph, e->onnx.nodes.data ? e->onnx.nodes.data : "", e->onnx.nodes.used);
  reg_text_bytes(&e->graph, e->onnx.tensors.data ? e->onnx.tensors.data : "", e->onnx.tensors.used);
  reg_protobuf_text(&e->graph, GRAPH_NAME, e->trained.train->name);
  reg_protobuf_integer(&model, MODEL_IR, ONNX_IR);
  reg_protobuf_text(&model, MODEL_PRODUCER, "regc");
  reg_protobuf_text(&model, MODEL_VERSION, REG_VERSION);
  if (e->trained.train->doc) reg_protobuf_text(&model, MODEL_DOC, e->trained.train->doc);
  reg_protobuf_message(&model, MODEL_GRAPH, &e->graph);
  reg_protobuf_text(&opset, OPSET_DOMAIN, "");
  reg_protobuf_integer(&opset, OPSET_VERSION, ONNX_OPSET);
  reg_protobuf_message(&model, MODEL_OPSET, &opset);
  put_properties(e, &model, outputs);
  model.failed |= e->onnx.nodes.failed || e->onnx.tensors.failed;
  if (model.failed)
    reg_no_memory(&st, model.used);
  else
    reg_file_write(o->value[OPT_OUTPUT], model.data, model.used, &st);
  tell_status(o, &st);
  reg_text_free(&model);
  return st.code;
}

static int export_model(Export *e, ProgramTable *t, int64_t rows) {
  Pipeline *p = e->pipeline;
  const FunctionSource *source = e->trained.train->predict->source;
  const Graph *whole = lower_train_graph(p->lowered, source->train, LOWER_PREDICT, rows);
  if (pipeline_report(p) || !whole) return EXIT_REJECTED;
  const Graph *g = passes_run(p->arena, whole, 2, false);
  const char **names = ARENA_ARRAY(p->arena, const char *, g->nodes.len + 1);
  e->program = &t->program;
  e->data = p->lowered->datasets.data[e->trained.train->data];
  e->onnx.a = p->arena;
  for (int i = 0; i < g->inputs.len; i++) {
    const Node *n = g->inputs.data[i];
    if (!(names[n->id] = input(e, n))) return refuse(e, n);
  }
  if (!onnx_graph(&e->onnx, g, names)) return refuse(e, e->onnx.refused);
  const Node *out = g->outputs.data[0].node;
  onnx_rename(&e->onnx, names[out->id], "output");
  onnx_port(&e->graph, GRAPH_OUTPUT, "output", out->dtype, out->shape);
  return write_model(e, shape_count(out->shape) / rows);
}

int cmd_export(Session *s, const Options *o) {
  if (o->arguments.len != 1) return usage_error("`regc export` takes one file");
  if (!o->given[OPT_ONNX]) return usage_error("`regc export` needs the form: `--onnx`");
  if (!o->value[OPT_OUTPUT]) return usage_error("`regc export` needs `-o PATH`: what to write");
  Options own = *o;
  own.batch = 0; // --batch: rows of x, not of a training's batch
  Pipeline p;
  pipeline_init(&p, s, &own);
  ProgramTable *t = NULL;
  int code = program_open(&p, o->arguments.data[0], &t);
  Export e = {.pipeline = &p};
  if (!code) code = trained_load(t, &e.trained);
  if (!code) code = export_model(&e, t, o->batch > 0 ? o->batch : 1);
  reg_text_free(&e.graph);
  reg_text_free(&e.onnx.nodes);
  reg_text_free(&e.onnx.tensors);
  pipeline_free(&p);
  return code;
}
