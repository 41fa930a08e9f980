// The entry of standalone binaries; `regc build` makes reg_binary_program.
#include "reg/binary.h"

extern reg_binary reg_binary_program;

int main(int argc, char **argv) { return reg_binary_main(&reg_binary_program, argc, argv); }
