# runtime/kernels/vmath.c as LLVM bitcode, embedded into the backend as an array of bytes.
set(REG_VMATH_BC ${CMAKE_BINARY_DIR}/vmath.bc)
set(REG_BITCODE_C ${CMAKE_BINARY_DIR}/vmath_bc.c)
add_custom_command(OUTPUT ${REG_VMATH_BC}
  COMMAND ${CLANG19} -O2 -emit-llvm -c -DREG_BITCODE -march=x86-64-v3 -ffp-contract=off -fno-math-errno -fno-stack-protector
          -I${CMAKE_SOURCE_DIR}/runtime/include ${CMAKE_SOURCE_DIR}/runtime/kernels/vmath.c -o ${REG_VMATH_BC}
  DEPENDS ${CMAKE_SOURCE_DIR}/runtime/kernels/vmath.c)
add_custom_command(OUTPUT ${REG_BITCODE_C}
  COMMAND ${CMAKE_COMMAND} -DIN=${REG_VMATH_BC} -DOUT=${REG_BITCODE_C} -DNAME=reg_vmath_bitcode -P ${CMAKE_SOURCE_DIR}/cmake/embed.cmake
  DEPENDS ${REG_VMATH_BC} ${CMAKE_SOURCE_DIR}/cmake/embed.cmake)
