//! Whether a condition holds for a record's metadata.
use std::cmp::Ordering::{self, Equal, Greater, Less};

use hector_plugin::hector::common::v1::filter::{Compare, Node, compare::Op};
use hector_plugin::hector::common::v1::{Filter, Value as Given, value::Kind};
use hector_plugin::refused;
use hector_plugin::serde_json::Value;
use hector_plugin::tonic::{Code, Status};

/// What is not known here is refused: who deletes by it must not lose everything.
pub fn holds(condition: &Filter, metadata: &Value) -> Result<bool, Status> {
    match &condition.node {
        None => Err(unknown("there is no condition of this kind here".into())),
        Some(Node::Not(one)) => Ok(!holds(one, metadata)?),
        Some(Node::Compare(compare)) => compared(compare, metadata),
        Some(Node::All(list)) => {
            for one in &list.filters {
                if !holds(one, metadata)? {
                    return Ok(false);
                }
            }
            Ok(true)
        }
        Some(Node::Any(list)) => {
            for one in &list.filters {
                if holds(one, metadata)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

fn compared(compare: &Compare, metadata: &Value) -> Result<bool, Status> {
    let found = compare.field.split('.').try_fold(metadata, |value, name| value.get(name));
    let values: Vec<Value> = compare.values.iter().map(plain).collect();
    let order = |value: &Value| found.and_then(|found| ordered(found, value));
    Ok(match (compare.op(), values.as_slice()) {
        (Op::Exists, _) => found.is_some(),
        (Op::In, values) => values.iter().any(|value| order(value) == Some(Equal)),
        (Op::NotIn, values) => values.iter().all(|value| order(value) != Some(Equal)),
        (Op::Eq, [value]) => order(value) == Some(Equal),
        (Op::Ne, [value]) => order(value) != Some(Equal),
        (Op::Lt, [value]) => order(value) == Some(Less),
        (Op::Le, [value]) => matches!(order(value), Some(Less | Equal)),
        (Op::Gt, [value]) => order(value) == Some(Greater),
        (Op::Ge, [value]) => matches!(order(value), Some(Greater | Equal)),
        (Op::Contains, [value]) => found.is_some_and(|found| contains(found, value)),
        (Op::Unspecified, _) => return Err(unknown(format!("there is no operator {} here", compare.op))),
        _ => {
            let sentence = format!("{}: one value is needed", compare.field);
            return Err(refused(Code::InvalidArgument, "INVALID_ARGUMENT", sentence));
        }
    })
}

fn unknown(sentence: String) -> Status {
    refused(Code::Unimplemented, "CONDITION_UNKNOWN", sentence)
}

fn plain(given: &Given) -> Value {
    match &given.kind {
        Some(Kind::StringValue(text)) => text.as_str().into(),
        Some(Kind::IntValue(number)) => (*number).into(),
        Some(Kind::DoubleValue(number)) => (*number).into(),
        Some(Kind::BoolValue(truth)) => (*truth).into(),
        None => Value::Null,
    }
}

/// What has no order, such as a text and a number, is neither equal nor less nor more.
fn ordered(one: &Value, other: &Value) -> Option<Ordering> {
    match (one, other) {
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        (Value::Number(one), Value::Number(other)) => match (one.as_i64(), other.as_i64()) {
            (Some(one), Some(other)) => Some(one.cmp(&other)),
            _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
        },
        (Value::Bool(one), Value::Bool(other)) => (one == other).then_some(Equal),
        _ => None,
    }
}

fn contains(found: &Value, value: &Value) -> bool {
    match (found, value) {
        (Value::String(text), Value::String(part)) => text.contains(part.as_str()),
        (Value::Array(items), _) => items.iter().any(|item| ordered(item, value) == Some(Equal)),
        _ => false,
    }
}
