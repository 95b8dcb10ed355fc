"""The engine for CPUs: one compiled function carries out the whole chain of an image, image after image.

Its source is generated from the op table (`generating`), so a new op is in it by being in the table. It has every op's `fused`
function and all that this names, collected from the sources (`collecting`); a dispatcher from number to kernel; and the program
around them (`program`). It is compiled by numba, once a machine (`loading`, `keeping`), and run by `carrying`.

What a fused kernel may be made of:

- `fused(image, out, values, fill, bilinear, seed, scratch) -> None` and every function it calls is a plain `def` at the top level
  of a module, its source beside it; no numba import, no function within a function, no `global`, no annotated assignment.
  Annotations of arguments, docstrings and decorators are dropped.
- It may name: its arguments and variables; `np` and `math` (imported as modules, under any name); Python's len, range, int,
  float, bool, min, max, abs, round, enumerate, zip, sum, pow, divmod, tuple; functions that keep these rules, of any module; and
  constants of a module: numbers, numpy numbers, tuples of them, and numpy arrays of numbers up to 1 MB. Names are made unique by
  their module, so two files may use the same ones.
- Not: attributes of modules of ours (`tables.LEVELS`; import the name), classes, exceptions, dictionaries, text.
- `image` and `out` are distinct C-contiguous uint8 (channels, height, width), `values` float64 (parameters), perhaps with more
  entries than the op has; `fill` int, `bilinear` bool, `seed` int (0 to 2**63 - 1), `scratch` int32 with
  max(4096, 4 * (height + 2) * (width + 2)) entries (`scratch.view(np.float32)` for floats). What `out` and `scratch` hold before
  is anything. Every level of `out` is written; `image` is never written to: it may lie in a file that is mapped read-only.
- It is compiled with `error_model="numpy"` (x / 0 is inf or nan, no exception) and without fast-math: sums and products are done
  in the order written and rounded each. `@compiled(contract=True)` (searchspaces/ops/compiled.py) lets the products and sums
  written in that function be joined to fused multiply-adds; functions it calls keep their own mark, also where they are inlined.
- There is no bounds check, and int() of what is no finite number is undefined: the values an op is given are within its limits.
- Equal to the torch kernel to the bit, on this CPU, or within the op's `tolerance`.
"""
