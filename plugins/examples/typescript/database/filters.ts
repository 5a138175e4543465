/** Whether a condition holds for a record's metadata. */
import { PluginError, status } from "@hector/plugin";
import { Filter_Compare_Op as Op, type Filter, type Filter_Compare, type Value } from "@hector/plugin/common";

export function holds({ node }: Filter, metadata: unknown): boolean {
  switch (node.case) {
    case "all":
      return node.value.filters.every((one) => holds(one, metadata));
    case "any":
      return node.value.filters.some((one) => holds(one, metadata));
    case "not":
      return !holds(node.value, metadata);
    case "compare":
      return compares(node.value, metadata);
    default: // a condition that is passed over would find too much
      throw new PluginError(status.UNIMPLEMENTED, "CONDITION_UNKNOWN", "a filter has a condition that is not known here");
  }
}

function compares({ field, op, values }: Filter_Compare, metadata: unknown): boolean {
  const found = field.split(".").reduce(inside, metadata);
  const wanted = values.map(plain);
  if (op === Op.EXISTS) return found !== undefined;
  if (op === Op.IN || op === Op.NOT_IN) return wanted.some((one) => one === found) === (op === Op.IN);
  const [value] = wanted;
  if (value === undefined || wanted.length > 1) {
    throw new PluginError(status.INVALID_ARGUMENT, "INVALID_ARGUMENT", `${field}: found ${wanted.length} values, allowed: 1`);
  }
  switch (op) {
    case Op.EQ:
      return found === value;
    case Op.NE:
      return found !== value;
    case Op.LT:
      return order(found, value) < 0;
    case Op.LE:
      return order(found, value) <= 0;
    case Op.GT:
      return order(found, value) > 0;
    case Op.GE:
      return order(found, value) >= 0;
    case Op.CONTAINS:
      return Array.isArray(found) ? found.includes(value) : typeof found === "string" && found.includes(String(value));
    default:
      throw new PluginError(status.UNIMPLEMENTED, "OPERATOR_UNKNOWN", `${field}: there is no operator ${op} here`);
  }
}

function inside(whole: unknown, name: string): unknown {
  const isObject = typeof whole === "object" && whole !== null && !Array.isArray(whole);
  return isObject && Object.hasOwn(whole, name) ? (whole as Record<string, unknown>)[name] : undefined;
}

/** A value as JSON has it: every number is one. */
function plain({ kind }: Value): string | number | boolean {
  return kind.case === "intValue" ? Number(kind.value) : (kind.value ?? "");
}

/** Below zero, zero or above; NaN, for which nothing holds, where there is no order. */
function order(found: unknown, value: unknown): number {
  if (typeof found === "number" && typeof value === "number") return found - value;
  if (typeof found === "string" && typeof value === "string") return found < value ? -1 : Number(found > value);
  return NaN;
}
