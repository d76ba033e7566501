"""What is quantised: tensors of real models, and the error that quantising them makes."""
