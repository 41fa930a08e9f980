// Emission of LLVM code for loops: what its files share.
//
// A value is always a vector of LANES elements; what does not vary along the vector's loop is a splat,
// computed outside of it: each value is emitted at the depth of the innermost loop that it depends on. Depth
// 0 is before the nest's loops.
#ifndef LLVM_EMIT_H
#define LLVM_EMIT_H
#include "../../loops/nest.h"
#include "../backend.h"
#include <llvm-c/Core.h>
#include <llvm-c/Error.h>
#include <llvm-c/TargetMachine.h>

typedef struct Emitter {
  Arena *arena;
  const LoopFn *f;
  LLVMContextRef context;
  LLVMModuleRef module;
  LLVMTypeRef void_t, i1, i8, i32, i64, f32, f64, ptr, vi1, vi8, vi32, vf32, vf64;
  LLVMValueRef lane_numbers; // <0, 1, …, 7>
  bool uses_vmath;
  int functions; // so far: the module's own and those of bodies; `number` is that of f
  int number;
  Map codes; // text -> StepCode
} Emitter;

enum { LANES = 8 };

// -- schedule.c
typedef struct Schedule {
  int copies;            // vectors in one turn of the vector's loop
  int64_t pieces, chunk; // the outermost loop runs over `chunk` values in each piece; 1 to MOST_PIECES
} Schedule;
Schedule schedule_for(const Nest *nest, const NestLoops *loops);

// A step as reg_steps takes it.
typedef struct Argument {
  const Buffer *buffer; // or
  LLVMValueRef address; // of a constant, or
  int64_t number;
} Argument;

typedef struct Launch {
  LLVMValueRef fn;
  int64_t pieces;
  VEC(Argument) args;
} Launch;

// A condition under which a value is wanted: `parent` and the guard. Masks are numbered from 1; 0: always.
typedef struct Mask {
  int parent;
  Guard guard;
  LLVMValueRef value; // <8 x i1>
  int depth;
  int64_t shift; // the copy's for which it was made
} Mask;

typedef struct Memo {
  const Node *node;
  int mask; // -1: the words of a random draw
  int depth;
  int64_t shift; // the copy's for which it was made
  Index at;
  LLVMValueRef value;
} Memo;

typedef struct Kernel {
  Emitter *m;
  LLVMValueRef fn;
  const KernelArgs *args;
  LLVMValueRef table; // where they are
  LLVMBasicBlockRef entry;
  LLVMBuilderRef entry_builder; // before the end of the entry block: addresses of buffers, local variables
  LLVMBuilderRef builder;       // at the end of the open block
  LLVMBuilderRef hoisted;       // positioned anew for each use
  LLVMValueRef *address;        // of the kernel's arguments, NULL until used
  // The nest at hand
  const Nest *nest;
  NestLoops loops;
  Schedule schedule;
  int depth;                        // number of loops entered
  LLVMValueRef leave[MAX_RANK + 2]; // leave[d]: the branch that enters the loop at depth d
  LLVMValueRef value[MAX_VARS];     // of a loop: its variable, i64
  LLVMValueRef first, limit;        // of the outermost loop in this piece, i64
  int64_t shift;                    // of the copy: its first lane is at variable + shift
  LLVMValueRef tail;                // constant mask of the last vector of a loop, or NULL
  VEC(Memo) memo;
  VEC(Mask) masks;
} Kernel;

// -- index.c
void emit_types(Emitter *m);
LLVMBuilderRef emit_at(Kernel *k, int depth);
int emit_affine_depth(const Kernel *k, const Affine *x);
bool emit_affine_varies(const Kernel *k, const Affine *x); // along the vector
bool emit_affine_steps(const Kernel *k,
                       const Affine *x); // varies in the vector's own variable only, linearly
LLVMValueRef emit_affine_first(Kernel *k,
                               const Affine *x); // i64: of lane 0, without derived variables that vary
LLVMValueRef emit_affine_lanes(Kernel *k,
                               const Affine *x); // <8 x i32>: offsets of the lanes from emit_affine_first
LLVMValueRef emit_affine_vector(Kernel *k, const Affine *x); // <8 x i32>
LLVMValueRef emit_splat(Kernel *k, LLVMBuilderRef b, LLVMValueRef scalar);
int emit_mask(Kernel *k, int parent, const Guard *guards, int n);
LLVMValueRef emit_const(LLVMTypeRef t, double v);
// Whether what was made for a copy at that shift, at that depth, is valid for the copy at hand.
bool emit_same_copy(const Kernel *k, int64_t shift, int depth);
LLVMValueRef emit_int64(const Emitter *m, int64_t v);

// -- memory.c
LLVMTypeRef emit_vector_type(const Emitter *m, DType t);
LLVMValueRef emit_buffer(Kernel *k, const Buffer *b);
LLVMValueRef emit_stream(Kernel *k, const Node *draw); // i32
LLVMValueRef emit_const_tensor(Kernel *k, const Node *n);
LLVMValueRef emit_load(Kernel *k, LLVMValueRef base, DType t, const Affine *at, int mask);
void emit_store(Kernel *k, LLVMValueRef base, DType t, const Affine *at, LLVMValueRef v);
void emit_store_scalar(Kernel *k, LLVMValueRef base, DType t, const Affine *at, LLVMValueRef v);
LLVMValueRef emit_local(Kernel *k, LLVMTypeRef t);

// -- expr.c, pointwise.c, random.c
LLVMValueRef emit_value(Kernel *k, Node *n, const Index *at, int mask);
LLVMValueRef *emit_memo_find(Kernel *k, const Node *n, const Index *at, int mask);
void emit_memo_add(Kernel *k, const Node *n, const Index *at, int mask, int depth, LLVMValueRef v);
int emit_index_depth(const Kernel *k, const Index *at, int mask);
// `uniform`: all lanes of the result are equal.
LLVMValueRef emit_pointwise(Kernel *k, LLVMBuilderRef b, const Node *n, LLVMValueRef *in, bool uniform);
LLVMValueRef emit_intrinsic(Emitter *m, LLVMBuilderRef b, const char *name, LLVMTypeRef t, LLVMValueRef *args,
                            int n);
LLVMValueRef emit_uniform(Kernel *k, Node *n, const Index *at, int mask);

// -- reduce.c
typedef struct Accumulator {
  LLVMValueRef best, where; // local variables: sum or greatest value; its number
  LLVMValueRef total;       // of a sum in blocks: the blocks before, in double; else NULL
} Accumulator;
// The type of one lane of an accumulator.
LLVMTypeRef emit_sum_element(const Kernel *k, const NestOut *o, bool in_double);
// Where `a` has its place already, only what it starts with.
void emit_sum_start(Kernel *k, const NestOut *o, Accumulator *a, bool in_double, bool blocked);
void emit_sum_flush(Kernel *k, Accumulator *a); // ends a block
void emit_sum_add(Kernel *k, const NestOut *o, Accumulator *a, bool in_double, LLVMValueRef v);
// Combines the copies and, where the vector runs over a reduced axis, the lanes; stores the result.
void emit_sum_finish(Kernel *k, const NestOut *o, Accumulator *a, int copies, bool in_double,
                     const Affine *to, LLVMValueRef piece);

// The pieces' results combined in order: of a swept nest the vector of columns at hand; of others all.
void emit_sum_combine(Kernel *k, const NestOut *o, const Affine *to);
void emit_combine_all(Kernel *k);

// A loop whose index runs from `first` while it is below `limit`: after begin the builder is in its body,
// after end behind it.
typedef struct CountedLoop {
  LLVMValueRef index, first, more,
      enter; // enter: the branch into it, before which what does not change may stand
  LLVMBasicBlockRef before, head, body;
} CountedLoop;
CountedLoop emit_loop_begin(Kernel *k, LLVMValueRef first, LLVMValueRef limit);
void emit_loop_end(Kernel *k, const CountedLoop *l, LLVMValueRef next);

// -- nest.c
void emit_nest_begin(Kernel *k, const Nest *nest); // its loops and schedule, for the two below
void emit_nest(Kernel *k, LLVMValueRef piece);     // NULL: there is only one
// The partial sums of a nest that ran in pieces, added in order.
void emit_combine(Kernel *k);

// -- body.c
// The loop of step s, its body a function of its own.
void emit_loop_step(Kernel *k, LLVMValueRef ctx, const LoopStep *s);
// The choice of step s, each side a function of its own.
void emit_if_step(Kernel *k, LLVMValueRef ctx, const LoopStep *s);

// -- call.c
enum { MAX_CALL_ARGS = 24 };
// A function of the runtime; its parameters are those of the arguments.
LLVMValueRef emit_runtime_call(Kernel *k, LLVMTypeRef result, const char *name, LLVMValueRef *args, int n);
// The function returns `status` where it is not 0; else it goes on.
void emit_end_unless_zero(Kernel *k, LLVMValueRef status);
// The row of calls.def for the step's operation.
Launch emit_library_call(Emitter *m, const LoopStep *s);
Launch emit_copy(Emitter *m, const LoopStep *s);

// -- steps.c
LLVMValueRef emit_function_new(Emitter *m, const char *name, LLVMTypeRef t, bool internal);
Kernel *emit_kernel_new(Emitter *m, LLVMValueRef fn, const KernelArgs *args, LLVMValueRef table);
void emit_kernel_done(Kernel *k);
LLVMTypeRef emit_call_type(Emitter *m); // int32_t (reg_ctx *, void *const *)
// The function of f under that name: reg_steps over the table of its steps.
LLVMValueRef emit_fn(Emitter *m, const LoopFn *f, const char *name);

// -- module.c
// The function under the name `symbol`, optimized; NULL and a message on failure. The caller disposes of the
// module.
LLVMModuleRef emit_module(LLVMContextRef context, const LoopFn *f, const char *symbol,
                          LLVMTargetMachineRef tm, int opt_level, const char **error);

// -- target.c
// The machine code is made for: `cpu`, or this one. NULL and a message on failure.
LLVMTargetMachineRef target_machine(Arena *a, const BackendOptions *o, const char **error);
char *target_identity(Arena *a, const BackendOptions *o); // CPU and features, part of the cache key
// LLVM's text, in the arena; LLVM's own is gone. Where it had no memory for one the process ends.
char *llvm_text(Arena *a, char *text);
bool llvm_failed(Arena *a, LLVMErrorRef e, const char **error);

// -- object.c
const char *symbol_of(Arena *a, const char *key);
// The object of f, whose function is symbol_of(key), compiled and put into the cache; *tm is made when it is
// needed, the caller disposes of it.
LLVMMemoryBufferRef fresh_object(Arena *a, const LoopFn *f, const BackendOptions *o, const char *key,
                                 LLVMTargetMachineRef *tm, const char **error);
bool emit(Arena *a, const LoopFn *f, const BackendOptions *o, const char *what, Code *code,
          const char **error);
bool function_object(Arena *a, const LoopFn *f, const BackendOptions *o, Code *code, const char **symbol,
                     bool *cached, const char **error);
bool data_object(Arena *a, const DataImage *d, const BackendOptions *o, Code *code, const char **error);

// -- cache.c
// What all functions of a machine share.
const char *cache_identity(Arena *a, const char *machine);
const char *cache_key(Arena *a, const LoopFn *f, const BackendOptions *o,
                      const char *identity); // 64 hexadecimal digits
// The object stored under the key, or NULL: there is none, it is damaged, or others may write where it lies.
LLVMMemoryBufferRef cache_read(const char *dir, const char *key);
void cache_write(const char *dir, const char *key, LLVMMemoryBufferRef object);
#endif
