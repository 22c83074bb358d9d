"""`rendercast codegen`: types of the compositions' props for TypeScript and Python."""
