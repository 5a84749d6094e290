"""une_ray: do diffusion models and vision encoders share one Gaussian latent space?"""

__version__ = "0.1.0"
