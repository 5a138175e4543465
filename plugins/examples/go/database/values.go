package main

import (
	"cmp"
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strings"

	hector "github.com/hector-mesh/hector-go"
	commonv1 "github.com/hector-mesh/hector-go/hector/common/v1"
	"google.golang.org/grpc/codes"
)

func invalid(what string) error {
	return hector.Errorf(codes.InvalidArgument, "INVALID_ARGUMENT", "%s", what)
}

// floats reads a vector in either form; vector_f32 wins.
func (c *collection) floats(given interface {
	GetVector() []float32
	GetVectorF32() []byte
}) ([]float32, error) {
	vector, packed := given.GetVector(), given.GetVectorF32()
	if len(packed)%4 != 0 {
		return nil, invalid("vector_f32 does not have four bytes for each number")
	}
	if len(packed) > 0 {
		vector = make([]float32, len(packed)/4)
		for at := range vector {
			vector[at] = math.Float32frombits(binary.LittleEndian.Uint32(packed[4*at:]))
		}
	}
	if uint32(len(vector)) != c.dimension {
		return nil, hector.Errorf(codes.InvalidArgument, "INVALID_ARGUMENT",
			"found %d dimensions, allowed: %d", len(vector), c.dimension)
	}
	return vector, nil
}

func metadataOf(text string) map[string]any {
	var metadata map[string]any
	_ = json.Unmarshal([]byte(text), &metadata) // what is no object has no fields
	return metadata
}

// holds tells whether metadata fulfils a condition; no condition is always fulfilled.
func holds(condition *commonv1.Filter, metadata map[string]any) (bool, error) {
	if condition == nil { // nobody asked for anything
		return true, nil
	}
	switch node := condition.GetNode().(type) {
	case *commonv1.Filter_Not:
		good, err := holds(node.Not, metadata)
		return !good, err
	case *commonv1.Filter_All:
		for _, one := range node.All.Filters {
			if good, err := holds(one, metadata); !good || err != nil {
				return false, err
			}
		}
		return true, nil
	case *commonv1.Filter_Any:
		for _, one := range node.Any.Filters {
			if good, err := holds(one, metadata); good || err != nil {
				return good, err
			}
		}
		return false, nil
	case *commonv1.Filter_Compare_:
		return compares(node.Compare, metadata)
	}
	// A kind of condition that is newer than this. To take it for none would find, and delete, everything.
	return false, hector.Errorf(codes.Unimplemented, "OPERATOR_UNKNOWN", "there is no such condition here")
}

func compares(compare *commonv1.Filter_Compare, metadata map[string]any) (bool, error) {
	found, there := at(compare.Field, metadata)
	var values []any
	for _, value := range compare.Values {
		values = append(values, plain(value))
	}
	switch compare.Op {
	case commonv1.Filter_Compare_OP_EXISTS:
		return there, nil
	case commonv1.Filter_Compare_OP_IN:
		return slices.Contains(values, found), nil
	case commonv1.Filter_Compare_OP_NOT_IN:
		return !slices.Contains(values, found), nil
	}
	if len(values) != 1 {
		return false, invalid(compare.Field + ": one value is needed")
	}
	order, comparable := ordered(found, values[0])
	switch compare.Op {
	case commonv1.Filter_Compare_OP_EQ:
		return comparable && order == 0, nil
	case commonv1.Filter_Compare_OP_NE:
		return !comparable || order != 0, nil
	case commonv1.Filter_Compare_OP_LT:
		return comparable && order < 0, nil
	case commonv1.Filter_Compare_OP_LE:
		return comparable && order <= 0, nil
	case commonv1.Filter_Compare_OP_GT:
		return comparable && order > 0, nil
	case commonv1.Filter_Compare_OP_GE:
		return comparable && order >= 0, nil
	case commonv1.Filter_Compare_OP_CONTAINS:
		return contains(found, values[0]), nil
	}
	return false, hector.Errorf(codes.Unimplemented, "OPERATOR_UNKNOWN", "there is no operator %s here", compare.Op)
}

func at(path string, metadata map[string]any) (found any, there bool) {
	for _, name := range strings.Split(path, ".") {
		found, there = metadata[name]
		metadata, _ = found.(map[string]any)
	}
	return found, there
}

// plain gives a value as JSON has it: every number is a float64.
func plain(value *commonv1.Value) any {
	switch kind := value.GetKind().(type) {
	case *commonv1.Value_IntValue:
		return float64(kind.IntValue)
	case *commonv1.Value_DoubleValue:
		return kind.DoubleValue
	case *commonv1.Value_BoolValue:
		return kind.BoolValue
	}
	return value.GetStringValue()
}

func ordered(one, other any) (order int, comparable bool) {
	switch one := one.(type) {
	case string:
		other, same := other.(string)
		return strings.Compare(one, other), same
	case float64:
		other, same := other.(float64)
		return cmp.Compare(one, other), same
	case bool: // only whether they are the same
		if one == other {
			return 0, true
		}
	}
	return 0, false
}

func contains(found, value any) bool {
	if text, isText := found.(string); isText {
		part, same := value.(string)
		return same && strings.Contains(text, part)
	}
	list, _ := found.([]any)
	return slices.ContainsFunc(list, func(one any) bool {
		order, comparable := ordered(one, value)
		return comparable && order == 0
	})
}
