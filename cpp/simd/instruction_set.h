// SPDX-License-Identifier: BSD-3-Clause
#pragma once

// Kernels, the inner loops of the native engines, are compiled once for each instruction set, and the processor decides
// which ones run. A system declares its kernels in a header,
//
//     VITRIFY_DECLARE_KERNELS(OGNKernels<float>);
//
// and defines them in its kernels.cpp, which CMake compiles with VITRIFY_INSTRUCTION_SET and VITRIFY_VECTOR_BYTES set:
//
//     void fill_kernels(CompiledFor<InstructionSet::VITRIFY_INSTRUCTION_SET>, OGNKernels<float> &kernels) { ... }
//
// Such a file may include only plain data and functions that are local to it (.inl). An inline function or a template
// of a shared header would be compiled for one instruction set and could be linked into code that runs without it.

namespace vitrify {

/// From the narrowest to the widest.
enum class InstructionSet { baseline, avx2, avx512 };

template <InstructionSet SET> struct CompiledFor {};

#ifdef VITRIFY_X86
#define VITRIFY_DECLARE_KERNELS(...)                                                                                   \
  void fill_kernels(CompiledFor<InstructionSet::baseline>, __VA_ARGS__ &);                                             \
  void fill_kernels(CompiledFor<InstructionSet::avx2>, __VA_ARGS__ &);                                                 \
  void fill_kernels(CompiledFor<InstructionSet::avx512>, __VA_ARGS__ &)
#else
#define VITRIFY_DECLARE_KERNELS(...) void fill_kernels(CompiledFor<InstructionSet::baseline>, __VA_ARGS__ &)
#endif

/// The widest instruction set that the processor has, or the one that VITRIFY_SIMD names (default, avx2 or avx512).
/// Throws Error if that one is not usable.
InstructionSet choose_instruction_set();

/// The name of the chosen instruction set; throws Error if VITRIFY_SIMD is not usable.
const char *native_instruction_set();

/// The kernels of the chosen instruction set.
template <typename Kernels> Kernels chosen_kernels()
{
  Kernels kernels{};
  switch (choose_instruction_set()) {
#ifdef VITRIFY_X86
    case InstructionSet::avx512:
      fill_kernels(CompiledFor<InstructionSet::avx512>(), kernels);
      break;
    case InstructionSet::avx2:
      fill_kernels(CompiledFor<InstructionSet::avx2>(), kernels);
      break;
#endif
    default:
      fill_kernels(CompiledFor<InstructionSet::baseline>(), kernels);
  }
  return kernels;
}

}    // namespace vitrify
