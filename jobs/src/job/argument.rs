//! The arguments of a job: what they must be, and how the generated struct is written and read.
//!
//! One mistake must give one message. So the bound on an argument is asserted once, by
//! [`Argument::__slot`], and all other generated code reaches the traits of the type through [`ArgumentOf`], whose
//! methods exist for every type: those of [`NotAnArgument`] take the place of the real ones where the bound fails.

#![allow(missing_docs, reason = "for generated code, behind `__private`")]

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeStruct;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How the error begins that says that an argument is not there.
pub(crate) const MISSING: &str = "missing argument ";

/// What can be an argument of a job.
///
/// It has no supertraits, and the compiler does not look behind its implementation, so that a type that lacks four
/// traits is one mistake. `Send` is not among its own: the struct of the job must be that too, and says which of its
/// arguments is not.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an argument of a job",
    label = "an argument is `Clone + Serialize + DeserializeOwned + Send + 'static`",
    note = "arguments are kept until the job runs: derive what is missing, `#[derive(Clone, serde::Serialize, serde::Deserialize)]`",
    note = "what the program holds, like a pool of connections, is no argument: take it by reference, `#[state] name: &T`"
)]
pub trait Argument: Sized {
    /// A place for a value that is yet to be read. Naming it asserts the bound.
    fn __slot() -> Option<Self> {
        None
    }
}

#[diagnostic::do_not_recommend]
impl<T: Clone + Serialize + DeserializeOwned + 'static> Argument for T {}

/// What a text in quotes becomes, in `args(…)` and `#[default = …]`.
#[diagnostic::on_unimplemented(
    message = "a text in quotes does not become a `{Self}`",
    label = "`{Self}` is not `From<&str>`",
    note = "write an expression of the type `{Self}`"
)]
pub trait FromText: Sized {
    fn from_text(text: &'static str) -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: From<&'static str>> FromText for T {
    fn from_text(text: &'static str) -> Self {
        text.into()
    }
}

/// What `#[default]` gives.
#[diagnostic::on_unimplemented(
    message = "`{Self}` has no default",
    label = "`{Self}` is not `Default`",
    note = "write a value, `#[default = …]`, or derive `Default`"
)]
pub trait DefaultOf: Sized {
    fn default_of() -> Self;
}

#[diagnostic::do_not_recommend]
impl<T: Default> DefaultOf for T {
    fn default_of() -> Self {
        T::default()
    }
}

/// The struct that `#[job]` makes of a function.
pub trait Arguments: Sized {
    const NAME: &'static str;
    const FIELDS: &'static [&'static str];

    fn write<S: SerializeStruct>(&self, to: &mut S) -> Result<(), S::Error>;

    /// Unknown fields are passed over, missing ones take their default where they have one.
    fn read<'de, F: FieldSource<'de>>(from: &mut F) -> Result<Self, F::Error>;

    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut to = serializer.serialize_struct(Self::NAME, Self::FIELDS.len())?;
        self.write(&mut to)?;
        to.end()
    }

    fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct(Self::NAME, Self::FIELDS, ArgumentsVisitor(PhantomData))
    }
}

/// The operations on an argument of type `T`, where it is an [`Argument`].
#[derive(Debug)]
pub struct ArgumentOf<T>(NotAnArgument<T>);

impl<T> ArgumentOf<T> {
    pub fn at(_value: &T) -> Self {
        Self(NotAnArgument(PhantomData))
    }

    pub fn slot(_slot: &Option<T>) -> Self {
        Self(NotAnArgument(PhantomData))
    }
}

impl<T: Clone + Serialize + DeserializeOwned + 'static> ArgumentOf<T> {
    pub fn cloned(&self, value: &T) -> T {
        value.clone()
    }

    pub fn write<S: SerializeStruct>(
        &self,
        to: &mut S,
        field: &'static str,
        value: &T,
    ) -> Result<(), S::Error> {
        to.serialize_field(field, value)
    }

    pub fn read<'de, F: FieldSource<'de>>(&self, from: &mut F) -> Result<Option<T>, F::Error> {
        from.value()
    }

    /// An `Option` that is missing is `None`; anything else is an error.
    pub fn missing<E: serde::de::Error>(&self, field: &'static str) -> Result<T, E> {
        T::deserialize(MissingField { field, error: PhantomData })
    }
}

impl<T> Deref for ArgumentOf<T> {
    type Target = NotAnArgument<T>;

    fn deref(&self) -> &NotAnArgument<T> {
        &self.0
    }
}

/// [`ArgumentOf`] for a type that is no [`Argument`]: it type-checks, and never runs.
pub struct NotAnArgument<T>(PhantomData<fn() -> T>);

impl<T> fmt::Debug for NotAnArgument<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NotAnArgument")
    }
}

const NEVER_RUN: &str = "invariant: the bound of an argument is asserted, so this does not compile";

impl<T> NotAnArgument<T> {
    pub fn cloned(&self, _value: &T) -> T {
        unreachable!("{NEVER_RUN}")
    }

    pub fn write<S: SerializeStruct>(
        &self,
        _to: &mut S,
        _field: &'static str,
        _value: &T,
    ) -> Result<(), S::Error> {
        unreachable!("{NEVER_RUN}")
    }

    pub fn read<'de, F: FieldSource<'de>>(&self, _from: &mut F) -> Result<Option<T>, F::Error> {
        unreachable!("{NEVER_RUN}")
    }

    pub fn missing<E: serde::de::Error>(&self, _field: &'static str) -> Result<T, E> {
        unreachable!("{NEVER_RUN}")
    }
}

/// Where the fields of [`Arguments`] come from: a map, or a sequence in the order of the fields.
pub trait FieldSource<'de> {
    type Error: serde::de::Error;

    /// The index of the next field; past the last where its name is not known.
    fn field(&mut self, fields: &'static [&'static str]) -> Result<Option<usize>, Self::Error>;

    /// The value of the field that [`field`](Self::field) told; none where the source ends before it.
    fn value<T: Deserialize<'de>>(&mut self) -> Result<Option<T>, Self::Error>;

    /// Passes over the value of a field that is not known.
    fn skip(&mut self) -> Result<(), Self::Error> {
        self.value::<IgnoredAny>().map(drop)
    }
}

struct FromMap<A>(A);

impl<'de, A: MapAccess<'de>> FieldSource<'de> for FromMap<A> {
    type Error = A::Error;

    fn field(&mut self, fields: &'static [&'static str]) -> Result<Option<usize>, A::Error> {
        self.0.next_key_seed(FieldIndex(fields))
    }

    fn value<T: Deserialize<'de>>(&mut self) -> Result<Option<T>, A::Error> {
        self.0.next_value().map(Some)
    }
}

struct FromSeq<A> {
    access: A,
    next: usize,
}

impl<'de, A: SeqAccess<'de>> FieldSource<'de> for FromSeq<A> {
    type Error = A::Error;

    fn field(&mut self, fields: &'static [&'static str]) -> Result<Option<usize>, A::Error> {
        let index = self.next;
        self.next += 1;
        Ok((index < fields.len()).then_some(index))
    }

    fn value<T: Deserialize<'de>>(&mut self) -> Result<Option<T>, A::Error> {
        self.access.next_element()
    }
}

struct ArgumentsVisitor<T>(PhantomData<T>);

impl<'de, T: Arguments> Visitor<'de> for ArgumentsVisitor<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the arguments of `{}`", T::NAME)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::read(&mut FromMap(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, access: A) -> Result<T, A::Error> {
        T::read(&mut FromSeq { access, next: 0 })
    }
}

struct FieldIndex(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for FieldIndex {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<usize, D::Error> {
        deserializer.deserialize_identifier(self)
    }
}

impl Visitor<'_> for FieldIndex {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of an argument")
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<usize, E> {
        Ok(self.0.iter().position(|field| *field == name).unwrap_or(usize::MAX))
    }

    fn visit_u64<E: serde::de::Error>(self, index: u64) -> Result<usize, E> {
        Ok(usize::try_from(index).unwrap_or(usize::MAX))
    }
}

/// Reads `None` into an `Option` and nothing into anything else.
struct MissingField<E> {
    field: &'static str,
    error: PhantomData<E>,
}

impl<'de, E: serde::de::Error> Deserializer<'de> for MissingField<E> {
    type Error = E;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, E> {
        Err(E::custom(format_args!("{MISSING}`{}`", self.field)))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, E> {
        visitor.visit_none()
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}
