"""What filters mean to a vector store."""

import grpc
import pytest
from contracts.planets import Op, VectorCalls, both, either, packed, value, where, without
from grpc import StatusCode

from hector.common.v1 import Filter, Value
from hector.vector.v1 import (
    DatabaseProviderStub,
    DeleteVectorsRequest,
    SearchVectorsRequest,
)

ROCKS = {"mercury", "earth", "mars"}
GIANTS = {"jupiter", "saturn"}


class VectorFilterSuite(VectorCalls):
    """Part of DatabaseProviderSuite."""

    @pytest.mark.parametrize(
        ("condition", "expected"),
        [
            (where("about.kind", Op.OP_EQ, "rock"), ROCKS),
            (where("moons", Op.OP_EQ, 1), {"earth"}),
            (where("moons", Op.OP_EQ, 1.0), {"earth"}),
            (where("moons", Op.OP_EQ, "1"), set()),
            (where("rings", Op.OP_EQ, True), GIANTS),
            (where("rings", Op.OP_EQ, 1), set()),
            (where("about.kind", Op.OP_NE, "rock"), GIANTS),
            (where("mean", Op.OP_NE, 0.5), ROCKS | {"jupiter"}),
            (where("moons", Op.OP_LT, 1), {"mercury"}),
            (where("moons", Op.OP_LE, 1), {"mercury", "earth"}),
            (where("moons", Op.OP_GT, 94.5), GIANTS),
            (where("moons", Op.OP_GE, 146), {"saturn"}),
            (where("about.kind", Op.OP_LT, "h"), GIANTS),
            (where("about.kind", Op.OP_LT, 5), set()),
            (where("moons", Op.OP_IN, 0, 1, 2), ROCKS),
            (where("moons", Op.OP_IN, "0", 95), {"jupiter"}),
            (where("moons", Op.OP_IN), set()),
            (where("moons", Op.OP_NOT_IN, 0, 1, 2), GIANTS),
            (where("absent", Op.OP_NOT_IN, 1), ROCKS | GIANTS),
            (where("by", Op.OP_CONTAINS, "a"), {"jupiter"}),
            (where("by", Op.OP_CONTAINS, 1), {"jupiter"}),
            (where("by", Op.OP_CONTAINS, "1"), set()),
            (where("about.kind", Op.OP_CONTAINS, "oc"), ROCKS),
            (where("by", Op.OP_EXISTS), {"jupiter"}),
            (where("about.kind", Op.OP_EXISTS), ROCKS | GIANTS),
            (where("about.nothing", Op.OP_EXISTS), set()),
            (without(where("by", Op.OP_EXISTS)), ROCKS | {"saturn"}),
            (without(where("absent", Op.OP_EQ, 1)), ROCKS | GIANTS),
            (both(where("rings", Op.OP_EQ, False), where("moons", Op.OP_GE, 1)), {"earth", "mars"}),
            (either(where("moons", Op.OP_EQ, 0), where("moons", Op.OP_EQ, 95)), {"mercury", "jupiter"}),
            (both(), ROCKS | GIANTS),
            (either(), set()),
            (both(either(where("moons", Op.OP_EQ, 0)), without(either())), {"mercury"}),
            (where("about.kind", Op.OP_EQ, "x') OR 1=1 --"), set()),
            (where("a'b", Op.OP_EXISTS), set()),
        ],
    )
    async def test_filters_mean_what_the_contract_says(
        self, planets: DatabaseProviderStub, condition: Filter, expected: set[str]
    ) -> None:
        """Contract: hector.common.v1.Filter; types are kept apart, an absent field equals nothing."""
        try:
            assert await self.matching(planets, condition) == expected
        except grpc.aio.AioRpcError as error:
            # An operator that a store cannot do is an error of the call, never a clause left out.
            if error.code() != StatusCode.UNIMPLEMENTED:
                raise
            pytest.skip(f"not possible here: {error.details()}")

    @pytest.mark.parametrize(
        "condition",
        [
            Filter(),
            both(Filter()),
            Filter(compare=Op(field="moons", values=[value(1)])),
            where("moons", Op.OP_EQ),
            where("moons", Op.OP_EQ, 1, 2),
            where("moons", Op.OP_EXISTS, 1),
            where("", Op.OP_EXISTS),
            Filter(compare=Op(field="moons", op=Op.OP_EQ, values=[Value()])),
            Filter(compare=Op(field="moons", op=77, values=[value(1)])),  # type: ignore[arg-type]
        ],
    )
    async def test_a_filter_that_says_nothing_is_refused(
        self, planets: DatabaseProviderStub, condition: Filter
    ) -> None:
        """Contract: never a clause left out; above all not from a deletion."""
        for call in (
            planets.SearchVectors(
                SearchVectorsRequest(collection="suite", vector_f32=packed(1, 0, 0), filter=condition)
            ),
            planets.DeleteVectors(DeleteVectorsRequest(collection="suite", filter=condition)),
        ):
            assert (await self.refused(call)).code() in (
                StatusCode.INVALID_ARGUMENT,
                StatusCode.UNIMPLEMENTED,
            )
        assert len(await self.matching(planets, both())) == 5
